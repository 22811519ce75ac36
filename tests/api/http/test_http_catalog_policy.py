"""Catalogs as a whole: denied by policy before anything starts, and told why wherever they are sent."""

import httpx

DEAR = "id,objective,budget_usd\na,Say one,60000\nb,Say two,60000\n"
REASON = "total of budget_usd: 120000, which is above the limit of 100000 for one catalog"


async def decisions(http: httpx.AsyncClient, run: str) -> list[dict[str, object]]:
    """The entries on a run as a whole, oldest first."""
    entries = (await http.get("/api/v1/audit", params={"kind": "policy"})).json()["entries"]
    return [entry for entry in reversed(entries) if entry["subject"] == f"run/{run}"]


async def test_a_denied_catalog_starts_nothing_and_says_why(http: httpx.AsyncClient) -> None:
    # Nothing answers where Temporal should be: a run that was to be started would fail otherwise.
    refused = await http.post("/api/v1/runs", json={"csv": DEAR, "run": "too-dear"})
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "POLICY_DENIED"
    assert REASON in error["message"]
    assert error["details"]["deny"] == [REASON]
    assert (await http.get("/api/v1/runs/too-dear")).status_code == 404


async def test_validation_tells_what_the_policy_would_say(http: httpx.AsyncClient) -> None:
    found = (await http.post("/api/v1/catalogs/validate", json={"csv": DEAR})).json()
    assert (found["valid"], found["rows"], found["errors"], found["denied"]) == (False, 2, [], [REASON])
    fine = (await http.post("/api/v1/catalogs/validate", json={"csv": "id,objective\na,Say one\n"})).json()
    assert (fine["valid"], fine["denied"]) == (True, [])


async def test_a_decision_is_in_the_audit_log_once_however_often_it_is_sent(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await http.post("/api/v1/runs", json={"csv": DEAR, "run": "dear-twice", "submitter": "ana"})
    (entry,) = await decisions(http, "dear-twice")
    assert (entry["actor"], entry["kind"]) == ("policy", "policy.decided")
    detail = entry["detail"]
    assert isinstance(detail, dict)
    assert (detail["allow"], detail["deny"], detail["submitter"]) == (False, [REASON], "ana")
    assert detail["policy"].startswith("sha256:")
    assert detail["totals"]["rows"] == 2


async def test_a_catalog_that_is_allowed_is_told_before_its_run_and_not_asked_about_again(
    live: httpx.AsyncClient,
) -> None:
    catalog = {"csv": "id,objective\na,Say one\n", "run": "allowed-once"}
    assert (await live.post("/api/v1/runs", json=catalog)).status_code == 201
    assert (await live.post("/api/v1/runs", json=catalog)).status_code == 200
    entries = (await live.get("/api/v1/audit")).json()["entries"]
    told = [entry["kind"] for entry in reversed(entries) if entry["subject"] == "run/allowed-once"]
    assert told == ["policy.decided", "run.submitted"]
