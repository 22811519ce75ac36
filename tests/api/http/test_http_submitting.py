"""Submitting: all errors at once, the same submission once, another catalog never under a run's name."""

import asyncio
import json

import httpx
from temporalio.client import Client

VALID = "board,task,title,objective\nops,one,First,Say one\nops,two,Second,Say two\n"
BROKEN = """id,task,objective,deadline,depends_on
a,one,"two
lines",8h,
a,two,again,soon,
c,three,,1d,
n,no,there,1d,nobody
d,four,x,1d,e
e,five,y,1d,d
f,six,z,1d,,extra
"""


async def executions(client: Client, run: str) -> int:
    """How many executions a run's workflow has, once the index of workflows has caught up."""
    async with asyncio.timeout(60):
        while not (found := (await client.count_workflows(f'WorkflowId = "catalog/{run}"')).count):
            await asyncio.sleep(0.1)
    return found


async def test_validation_collects_every_error(http: httpx.AsyncClient) -> None:
    found = (await http.post("/api/v1/catalogs/validate", json={"csv": BROKEN})).json()
    assert found["valid"] is False
    faults = {(fault["line"], fault["code"]) for fault in found["errors"]}
    assert (4, "DUPLICATE_ID") in faults
    assert (4, "INVALID_VALUE") in faults
    assert (5, "INVALID_TASK_DEFINITION") in faults
    assert (6, "UNKNOWN_DEPENDENCY") in faults
    assert (9, "WRONG_FIELD_COUNT") in faults
    assert "DEPENDENCY_CYCLE" in {code for _, code in faults}
    assert found["errors_found"] == len(found["errors"])
    missing = next(fault for fault in found["errors"] if fault["code"] == "INVALID_TASK_DEFINITION")
    assert missing["message"].startswith("Task missing required field: 'objective'")


async def test_an_invalid_catalog_starts_nothing(live: httpx.AsyncClient) -> None:
    refused = await live.post("/api/v1/runs", json={"csv": BROKEN, "run": "broken"})
    assert refused.status_code == 422
    assert len(refused.json()["error"]["details"]["faults"]) >= 6
    assert (await live.get("/api/v1/runs/broken")).status_code == 404


async def test_the_three_ways_to_send_a_catalog_say_the_same(http: httpx.AsyncClient) -> None:
    path = "/api/v1/catalogs/validate"
    as_json = await http.post(path, json={"csv": VALID})
    as_csv = await http.post(path, content=VALID.encode(), headers={"content-type": "text/csv"})
    as_form = await http.post(path, files={"file": ("a.csv", VALID.encode())}, data={"literal": "true"})
    assert as_json.json() == as_csv.json() == as_form.json()
    assert as_json.json()["rows"] == 2


async def test_a_header_map_adopts_other_headers(http: httpx.AsyncClient) -> None:
    catalog = "act,prompt\nPoet,Write a verse\n"
    mapped = {"prompt": "objective", "act": "title"}
    for answer in (
        await http.post("/api/v1/catalogs/validate", json={"csv": catalog, "map": mapped}),
        await http.post(
            "/api/v1/catalogs/validate", files={"file": ("a.csv", catalog)}, data={"map": json.dumps(mapped)}
        ),
        await http.post(
            "/api/v1/catalogs/validate?map=prompt=objective,act=title",
            content=catalog,
            headers={"content-type": "text/csv"},
        ),
    ):
        assert answer.json()["valid"] is True, answer.text


async def test_the_same_key_starts_one_run(live: httpx.AsyncClient, temporal: Client) -> None:
    key = {"idempotency-key": "the-same"}
    first = await live.post("/api/v1/runs", json={"csv": VALID, "title": "Twice"}, headers=key)
    again = await live.post("/api/v1/runs", json={"csv": VALID, "title": "Twice"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["created"] is True
    assert again.json()["created"] is False
    run = first.json()["run"]
    assert again.json()["run"] == run
    other = await live.post("/api/v1/runs", json={"csv": VALID}, headers={"idempotency-key": "another"})
    assert other.json()["run"] != run
    assert (await live.get(first.json()["links"]["self"])).json()["title"] == "Twice"
    handle = temporal.get_workflow_handle(f"catalog/{run}")
    assert await (await handle.describe()).memo() == {"title": "Twice"}
    assert await executions(temporal, run) == 1


async def test_without_a_key_every_submission_is_a_run(live: httpx.AsyncClient) -> None:
    runs = [(await live.post("/api/v1/runs", json={"csv": VALID})).json()["run"] for _ in range(2)]
    assert runs[0] != runs[1]


async def test_a_run_id_belongs_to_its_catalog(live: httpx.AsyncClient) -> None:
    first = await live.post("/api/v1/runs", json={"csv": VALID, "run": "mine"})
    same = await live.post("/api/v1/runs", json={"csv": VALID, "run": "mine"})
    other = await live.post("/api/v1/runs", json={"csv": VALID.replace("one", "1"), "run": "mine"})
    assert (first.status_code, same.status_code, other.status_code) == (201, 200, 409)
    assert other.json()["error"]["code"] == "CONFLICT"


async def test_a_run_can_be_steered(live: httpx.AsyncClient, temporal: Client) -> None:
    await live.post("/api/v1/runs", json={"csv": VALID, "run": "steered"})
    for action, body in (("pause", {"by": "me"}), ("resume", None), ("concurrency", {"limit": 3})):
        answer = await live.post(f"/api/v1/runs/steered/{action}", json=body)
        assert (answer.status_code, answer.json()) == (202, {"accepted": True})
    signals = [
        event.workflow_execution_signaled_event_attributes.signal_name
        async for event in temporal.get_workflow_handle("catalog/steered").fetch_history_events()
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert signals == ["pause", "resume", "set_concurrency"]
    assert (await live.post("/api/v1/runs/steered/cancel")).status_code == 202
