"""Reading: pages of runs and rows, results in three forms, events that resume, health and metrics."""

import csv
import io
import json
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from tests.api.http.conftest import FORMULAS, LARGE


async def test_rows_come_in_pages_that_meet(http: httpx.AsyncClient) -> None:
    seen: list[str] = []
    after: int | None = -1
    while after is not None:
        page = (await http.get("/api/v1/runs/many/rows", params={"limit": 10, "after": after})).json()
        seen += [row["row"] for row in page["rows"]]
        after = page["next"]
    assert seen == [f"many/{number:03d}" for number in range(25)]


async def test_runs_come_newest_first_in_pages_that_meet(http: httpx.AsyncClient) -> None:
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        page = (await http.get("/api/v1/runs", params={"limit": 1, "before": before})).json()
        seen += [run["run"] for run in page["runs"]]
        before = page["next"]
    assert seen == ["many", "going", "ended"]


async def test_rows_are_filtered_and_searched(http: httpx.AsyncClient) -> None:
    async def found(**query: str) -> list[str]:
        answer = await http.get("/api/v1/runs/ended/rows", params=query)
        return [row["row"] for row in answer.json()["rows"]]

    assert await found(state="failed") == ["ops/failed"]
    assert await found(q="QUOTES") == ["ops/quoted"]
    assert await found(q="%") == []
    assert await found(board="sheets", state="succeeded") == [f"sheets/formula-{n}" for n in range(4)]


async def test_a_run_tells_counts_and_cost(http: httpx.AsyncClient) -> None:
    run = (await http.get("/api/v1/runs/ended")).json()
    assert run["state"] == "completed_with_failures"
    assert run["counts"] == {"succeeded": 6, "review": 1, "failed": 1, "blocked": 1, "pending": 1}
    assert run["cost_usd"] == pytest.approx(8 * 0.0031)


async def test_a_row_tells_its_steps_and_its_envelope_verifies(http: httpx.AsyncClient) -> None:
    row = (await http.get("/api/v1/runs/ended/rows/ops/large")).json()
    assert [step["step"] for step in row["steps"]] == [
        "policy",
        "prompt",
        "model",
        "verification",
        "scan",
        "provenance",
    ]
    assert row["output"] is None
    artifact = await http.get(f"/api/v1/artifacts/{row['output_digest']}")
    assert artifact.text == LARGE
    assert artifact.headers["content-disposition"].startswith("attachment")
    assert artifact.headers["content-type"] == "application/octet-stream"
    verified = await http.post("/api/v1/provenance/verify", json={"run": "ended", "row": "ops/large"})
    assert verified.json()["valid"] is True
    assert verified.json()["output_checked"] is True
    assert b"PUBLIC KEY" in (await http.get("/api/v1/provenance/key")).content


async def test_csv_results_hold_no_formula(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/runs/ended/results", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="ended.csv"'
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(answer.text, newline=""))}
    assert len(rows) == 10
    for number, text in enumerate(FORMULAS):
        assert rows[f"sheets/formula-{number}"]["output"] == f"'{text}"
    assert not [cell for row in rows.values() for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert rows["ops/quoted"]["output"] == 'line "one"\nline, two\r\n<b>ü</b>'
    assert rows["ops/large"]["output"] == LARGE
    assert rows["ops/large"]["criteria"] == "max_words:9 [proven: passed]; kind [unverified: open]"


async def test_json_and_lines_hold_the_same_rows_as_they_are(http: httpx.AsyncClient) -> None:
    whole = (await http.get("/api/v1/runs/ended/results")).json()
    answer = await http.get("/api/v1/runs/ended/results", params={"format": "jsonl"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    assert lines == whole
    assert [row["output"] for row in whole[:4]] == list(FORMULAS)


async def _events(http: httpx.AsyncClient, **options: Any) -> list[tuple[str, str]]:
    async with aconnect_sse(http, "GET", "/api/v1/runs/ended/events", **options) as source:
        return [(event.event, event.id) async for event in source.aiter_sse()]


async def test_events_resume_after_the_last_one_seen(http: httpx.AsyncClient) -> None:
    every = await _events(http)
    assert every[-1][0] == "end"
    ids = [int(id_) for kind, id_ in every if kind != "end"]
    assert ids == sorted(set(ids))
    assert len(ids) == 12
    rest = await _events(http, headers={"last-event-id": str(ids[4])})
    assert [int(id_) for kind, id_ in rest if kind != "end"] == ids[5:]
    assert await _events(http, params={"after": ids[4]}) == rest
    # A browser that reconnects repeats the address it began with; its Last-Event-ID is the newer.
    assert await _events(http, params={"after": 0}, headers={"last-event-id": str(ids[4])}) == rest


async def test_health_says_what_answers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok", "parts": {}}
    away = await http.get("/readyz")
    assert away.status_code == 503
    assert away.json() == {"status": "unavailable", "parts": {"temporal": "unavailable", "records": "ok"}}


async def test_ready_with_a_temporal_server(live: httpx.AsyncClient) -> None:
    ready = await live.get("/readyz")
    assert ready.json() == {"status": "ok", "parts": {"temporal": "ok", "records": "ok"}}


async def test_metrics_count_requests_by_route_and_rows_by_state(http: httpx.AsyncClient) -> None:
    await http.get("/api/v1/runs/ended")
    text = (await http.get("/metrics")).text
    assert 'route="/api/v1/runs/{run}",status="200"' in text
    assert 'prism_runs{state="completed_with_failures"} 1.0' in text
    assert 'prism_rows{state="blocked"} 1.0' in text
    assert "ended" not in [line.partition("{")[2] for line in text.splitlines()]
