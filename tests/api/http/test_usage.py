"""Usage at every front door: API, client, command line and page tell the same."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from activities.analytics.contracts import FailoverEvent, Failovers
from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.llm.incidents import Change, CircuitChange, FailedRequest
from activities.records.calls import SqlCallLedger
from activities.records.contracts import RunState
from activities.records.incidents import SqlIncidents
from api.cli.main import cli
from api.client import AsyncPrismClient, PrismClient
from api.console.columns import HEIGHT, columns
from api.console.failovers import NARROWEST, chart_of
from temporal.contract import StepRef
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import serving
from workers.settings import Settings


async def test_usage_is_told_alike_at_every_door(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            assert "No model was asked" in (await client.get("/usage")).text
            row = Seed("a", "A row", "Say hello", output="x", requests=2)
            await Seeder(api.settings, api.services.stores).run("r", "A run", [row], state=RunState.COMPLETED)
            ledger = SqlCallLedger(api.services.stores.engine)
            for name, model in (("a", "openai/<b>x</b>"), ("b", "local/y")):
                step = StepRef(run="r", row=name, step="model")
                call = ModelRequest(step=step, prompt=Text.by_value("Hi"), board="ops")
                await ledger.begin(call)
                told = {"group": "g", "model": model, "local": name == "b", "prompt_tokens": 10, "latency_ms": 1500}
                answer = ModelAnswer.model_validate({"output": Text.by_value("x"), "cost_usd": 0.5, **told})
                if name == "a":
                    await fail(SqlIncidents(api.services.stores.engine), step, "openai/<b>x</b>")
                await ledger.record(call, answer)
            page = (await client.get("/usage", params={"days": 7})).text
            assert (await client.get("/api/v1/usage", params={"days": 0})).status_code == 422
            (shown,) = (await client.get("/api/v1/runs/r/rows/a")).json()["failed_requests"]
            assert (shown["step"], shown["number"], shown["deployment"], shown["status"]) == ("model", 1, "front", 529)
            row_page = (await client.get("/runs/r/rows/a")).text
            assert "after 1 failed request" in row_page
            # Beside the request that was answered.
            first, second = row_page.split('<ol class="requests">')[1].split("</ol>")[0].split("</li>")[:2]
            assert "<b>529</b> front <code>openai/&lt;b&gt;x&lt;/b&gt;</code>" in first
            assert "no cost counted" in first
            assert '<span class="number">2</span>' in second
            assert "<b>answered</b> <code>anthropic/claude-sonnet-4-5</code>" in second
        assert "openai/&lt;b&gt;x&lt;/b&gt;" in page
        assert "answered 529" in page
        assert page.count("circuit opened") >= 1
        assert "3 faults in a row" in page
        assert "1 request failed, circuit opened 1 time" in page, "drawn, and told to who does not see it"
        # Drawn, and each in the table beside it.
        assert page.count('class="k-paid" x=') == 2
        assert page.count(f"<td>{datetime.now(UTC).date()}</td>") == 1
        async with AsyncPrismClient(api.url) as async_client:
            told = await async_client.usage(7)
            opened, request = (await async_client.failovers(1)).events
        assert (told.total.calls, told.total.local, told.total.cost_usd, len(told.parts)) == (2, 1, 1.0, 7)
        assert (told.local.of_calls, told.local.of_tokens, [one.board for one in told.boards]) == (0.5, 0.5, ["ops"])
        assert (opened.change, opened.seconds, request.status, request.next_model) == (
            "opened",
            15,
            529,
            "openai/<b>x</b>",
        )
        told_row = CliRunner().invoke(cli, ["--url", api.url, "row", "r", "a"])
        assert "answered 529" in told_row.output
        with PrismClient(api.url) as client:
            assert client.failovers(1, limit=1).events == (opened,)
        events = CliRunner().invoke(cli, ["--url", api.url, "failovers", "--json"])
        assert json.loads(events.output)["events"][1]["next"] == "answered"
        assert "circuit opened for 15 s" in CliRunner().invoke(cli, ["--url", api.url, "failovers"]).output
        shown = CliRunner().invoke(cli, ["--url", api.url, "usage", "--days", "7"])
        assert shown.exit_code == 0
        assert "2 calls since" in shown.output
        assert "50% local, 0% cached" in shown.output
        assert "1,500 ms" in shown.output


async def fail(incidents: SqlIncidents, step: StepRef, model: str) -> None:
    told = {"deployment": "front", "model": model}
    request = {"step": step, "number": 1, "fault": "ModelUnavailable", "status": 529, "message": "answered 529"}
    await incidents.failed(FailedRequest.model_validate(request | told))
    reason = {"change": Change.OPENED, "seconds": 15, "reason": "3 faults in a row"}
    await incidents.changed(CircuitChange.model_validate(reason | told))


def test_a_circuit_is_drawn_open_until_its_time_is_over_or_something_else_becomes_of_it() -> None:
    start = datetime(2026, 11, 28, 3, tzinfo=UTC)

    def event(after: float, **told: object) -> FailoverEvent:
        at = (start + timedelta(seconds=after)).isoformat()
        return FailoverEvent.model_validate({"at": at, "deployment": "a", "model": "openai/a", **told})

    events = [
        event(0, fault="ModelUnavailable"),
        event(0, change="opened", seconds=30, message="3 faults"),
        event(30, change="probed"),
        event(40, change="opened", seconds=300, message="the probe failed"),
        event(100, change="closed"),
        event(100, fault="ModelUnavailable", deployment="", model=""),
    ]
    until = (start + timedelta(hours=1)).isoformat()
    chart = chart_of(Failovers(since=start.isoformat(), until=until, events=tuple(reversed(events))))
    assert chart
    assert [(lane.label, lane.failed, lane.opened) for lane in chart.lanes] == [("a", 1, 2), ("the gateway", 1, 0)]
    drawn = [(mark.kind, mark.offset, mark.width) for mark in chart.lanes[0].marks]
    failed, probed = ("failed", 0.0, NARROWEST), ("probed", 30.0, NARROWEST)
    assert drawn == [("open", 0.0, 30.0), ("open", 40.0, 60.0), failed, probed]
    assert chart.ticks == [(0.0, "03:00:00"), (30.0, "03:00:30"), (60.0, "03:01:00"), (90.0, "03:01:30")]
    assert chart_of(Failovers(since="", until=until, events=())) is None


@pytest.mark.parametrize(
    ("values", "most", "places"),
    [
        ([], 0.0, []),
        ([[("paid", 0.0)]], 0.0, []),
        (
            [[("paid", 1.0), ("local", 3.0)], [("paid", 2.0)]],
            4.0,
            [("paid", 90, 30), ("local", 0, 90), ("paid", 60, 60)],
        ),
    ],
)
def test_columns_are_as_high_as_their_values(
    values: list[list[tuple[str, float]]], most: float, places: list[tuple[str, float, float]]
) -> None:
    pieces, highest = columns(values, ["a" for _ in values])
    assert highest == most
    assert [(one.kind, one.y, one.height) for one in pieces] == places
    assert all(one.x >= 0 and one.x + one.width <= 100 and one.y + one.height <= HEIGHT for one in pieces)
