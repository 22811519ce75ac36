"""The compliance report says, at every front door, who decided what on each row and by which policy."""

import asyncio
import csv
import io
import itertools
from typing import Any

import httpx
import pytest

from activities.artifacts.contracts import digest_of
from activities.records.contracts import RowRecord, RowState, RunOpening, StepRecord
from activities.records.database import timestamp
from api.client import PrismApiError, PrismClient
from temporal.contract import StepRef
from tests.api.cli.conftest import Prism
from tests.api.client.seeded import PLAN, SeededApi

POLICY = digest_of(b"policy")
AT = "2026-11-24T10:00:00Z"
ROWS = 1200
SECONDS = itertools.count()


def step(name: str, detail: dict[str, Any]) -> StepRecord:
    at = f"2026-11-24T10:00:{next(SECONDS):02}Z"
    return StepRecord(step=name, started_at=at, finished_at=at, detail=detail)


def decided(name: str, *deny: str, review: tuple[str, ...] = ()) -> StepRecord:
    return step(name, {"allow": not deny, "deny": list(deny), "review": list(review), "policy": POLICY})


@pytest.fixture
def run(seeded_api: SeededApi) -> str:
    """A run with every kind of decision, and rows enough for more than one batch."""
    keeper = seeded_api.services.stores.keeper
    reviewed = {"state": "approved", "by": "=ana", "reasons": ["risk is high"], "comment": "fine", "round": 1}
    rows = {
        "denied": (RowState.DENIED, [decided("policy", "no <b>objective</b>")]),
        "seen": (
            RowState.SUCCEEDED,
            [
                decided("policy", review=("risk is high",)),
                step("code", {"reason": "ok", "policy": POLICY}),
                decided("release"),
                step("review", {"delivered": True}),
                step("review", reviewed),
            ],
        ),
    }

    async def write() -> None:
        await keeper.open_run(RunOpening(run="r-c", plan=PLAN, title="<Payments>", submitter="sam", started_at=AT))
        names = [*rows, *(f"row-{number}" for number in range(ROWS))]
        opened = [{"row": name, "position": place, "risk": "high"} for place, name in enumerate(names)]
        await keeper.open_rows("r-c", opened)
        for name, (state, steps) in rows.items():
            ref = StepRef(run="r-c", row=name, step="record")
            await keeper.record_row(
                RowRecord(step=ref, state=state, started_at=AT, finished_at=timestamp(), steps=tuple(steps))
            )

    asyncio.run(write())
    return "r-c"


def test_the_table_has_a_line_for_each_decision(prism_command: Prism, seeded_api: SeededApi, run: str) -> None:
    online = {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}
    done = prism_command("policy", "report", run, "--out", "report.csv", **online)
    assert done.returncode == 0, done.stderr
    assert "report.csv says who decided what in run r-c" in done.stdout
    with PrismClient(seeded_api.url, token=seeded_api.token) as client:
        text = client.compliance(run, "csv").decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    told = [(line["row"], line["what"], line["decision"], line["reasons"], line["by"]) for line in lines]
    assert told == [
        ("denied", "admission", "denied", "no <b>objective</b>", "policy"),
        ("seen", "admission", "allowed", "review: risk is high", "policy"),
        ("seen", "program", "allowed", "ok", "policy"),
        ("seen", "release", "allowed", "", "policy"),
        # No spreadsheet takes a name for a formula.
        ("seen", "review", "approved", "risk is high; fine", "'=ana"),
    ]
    assert {line["policy"] for line in lines} == {POLICY, ""}


def test_the_page_holds_without_prism_and_escapes_what_it_tells(seeded_api: SeededApi, run: str) -> None:
    with PrismClient(seeded_api.url, token=seeded_api.token) as client:
        page = client.compliance(run).decode()
    headers = {"authorization": f"Bearer {seeded_api.token}"}
    with httpx.Client(base_url=seeded_api.url, headers=headers, timeout=60) as browser:
        assert f'href="/api/v1/runs/{run}/compliance" download' in browser.get(f"/runs/{run}").text
        answer = browser.get(f"/api/v1/runs/{run}/compliance")
        assert answer.headers["content-disposition"] == f'attachment; filename="{run}.compliance.html"'
    assert "&lt;Payments&gt;" in page
    assert "no &lt;b&gt;objective&lt;/b&gt;" in page
    assert "<script" not in page
    assert "ends with entry" in page
    assert "<dt>admission denied</dt><dd>1</dd>" in page


def test_a_run_that_is_not_there_is_told(seeded_api: SeededApi) -> None:
    with PrismClient(seeded_api.url, token=seeded_api.token) as client, pytest.raises(PrismApiError, match="no run"):
        client.compliance("nothing")
