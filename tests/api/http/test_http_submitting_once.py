"""A submission is one run or none: with Temporal away, with two at once, and after Temporal has forgotten it."""

import asyncio

import httpx

from activities.records.contracts import RunChange, RunState
from activities.records.database import timestamp
from tests.api.http.serving import Serving, serving
from tests.api.http.test_http_submitting import VALID
from tests.conftest import free_port


async def test_what_temporal_did_not_take_is_not_listed(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/v1/runs", json={"csv": VALID, "run": "not-taken"})
    assert answer.json()["error"]["code"] == "TEMPORAL_UNAVAILABLE"
    assert (await http.get("/api/v1/runs/not-taken")).status_code == 404


async def test_a_run_is_listed_before_any_worker_has_seen_it(live: httpx.AsyncClient) -> None:
    await live.post("/api/v1/runs", json={"csv": VALID, "run": "unseen", "title": "Unseen"})
    run = (await live.get("/api/v1/runs/unseen")).json()
    assert (run["state"], run["title"]) == ("submitted", "Unseen")


async def test_of_two_catalogs_under_one_run_id_one_is_refused(live: httpx.AsyncClient) -> None:
    for number in range(5):
        run = f"contested-{number}"
        answers = await asyncio.gather(
            *(live.post("/api/v1/runs", json={"csv": VALID.replace("one", name), "run": run}) for name in "xy")
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_of_many_equal_submissions_one_creates_the_run(live: httpx.AsyncClient) -> None:
    sent = {"csv": VALID, "title": "Many"}
    answers = await asyncio.gather(
        *(live.post("/api/v1/runs", json=sent, headers={"idempotency-key": "many"}) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["run"] for answer in answers}) == 1


async def test_a_run_that_temporal_may_have_forgotten_is_not_started_again(
    live: httpx.AsyncClient, running: Serving
) -> None:
    sent = {"csv": VALID, "run": "forgotten"}
    assert (await live.post("/api/v1/runs", json=sent)).status_code == 201
    change = RunChange(run="forgotten", state=RunState.CANCELLED, sequence=1, at=timestamp())
    await running.services.stores.keeper.change_run(change)
    # Answered from the records alone: this API's Temporal server is away.
    with serving(running.settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})) as away:
        again = await live.post(f"{away.url}/api/v1/runs", json=sent)
    assert (again.status_code, again.json()["created"]) == (200, False)
