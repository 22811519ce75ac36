"""Budgets over HTTP: how they stand, who allows more, and that a repeated request allows it once."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from activities.budgets.contracts import BudgetSpent
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules_file import load_budgets
from activities.records.contracts import RowState, RunState
from temporal.contract import StepRef
from tests.api.http.guarding import Guarded, guarded_api, people
from tests.api.http.seeding import Seed, Seeder

BUDGETS = """
budgets:
  - {name: month, per: month, limit_usd: 10}
  - {name: ops, per: month, limit_usd: 1, board: ops, approvers: ["role:reviewer"]}
  - {name: cfo-only, per: month, limit_usd: 50, approvers: [cfo]}
"""


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    """A run of two rows, of which one waits for more of a budget."""
    path = tmp_path / "budgets.yaml"
    path.write_text(BUDGETS)
    with guarded_api(tmp_path / "home", budgets=path) as api:
        await people(api)
        stores = api.served.services.stores
        rows = [Seed(f"ops/<b>{name}</b>", "A", "a", state=RowState.RUNNING) for name in "ab"]
        await Seeder(api.served.settings, stores).run("r", "R", rows, state=RunState.PAUSED, minutes_ago=1)
        guard = SqlSpendGuard(stores.engine, load_budgets(path))
        for name in "ab":
            step = StepRef(run="r", row=f"ops/<b>{name}</b>", step="model")
            with suppress(BudgetSpent):
                await guard.reserve(step, 0.75)
                await guard.settle(step, 0.5)
        yield api


async def budget(client: httpx.AsyncClient, name: str) -> dict[str, object]:
    found = (await client.get("/api/v1/budgets")).json()["budgets"]
    return next(one for one in found if one["budget"] == name)


async def test_budgets_tell_what_is_spent_and_who_waits(guarded: Guarded) -> None:
    async with await guarded.client("viewer") as client:
        ops = await budget(client, "ops")
        assert (ops["state"], ops["spent_usd"], ops["limit_usd"]) == ("spent", 0.5, 1)
        assert [(row["run"], row["row"], row["needed_usd"]) for row in ops["waiting"]] == [("r", "ops/<b>b</b>", 0.75)]  # type: ignore[attr-defined]
        of_run = (await client.get("/api/v1/budgets", params={"run": "r"})).json()["budgets"]
        assert {one["budget"] for one in of_run} == {"month", "ops", "cfo-only"}


async def test_more_is_allowed_once_by_those_the_budget_names(guarded: Guarded) -> None:
    body = {"usd": 2, "comment": "the quarter ends"}
    async with await guarded.client("reviewer") as client:
        for _ in range(2):
            answer = await client.post("/api/v1/budgets/ops/allow", json=body, headers={"idempotency-key": "k"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["allowed_usd"] == 2
        refused = await client.post("/api/v1/budgets/cfo-only/allow", json=body)
        assert refused.status_code == 403
        assert "more of the budget cfo-only is allowed by cfo" in refused.json()["error"]["message"]
    async with await guarded.client("admin") as client:
        assert (await client.post("/api/v1/budgets/cfo-only/allow", json=body)).status_code == 200
        kinds = (await client.get("/api/v1/audit", params={"kind": "budget"})).json()["entries"]
    assert [(one["actor"], one["detail"]["comment"]) for one in kinds] == [
        ("admin", "the quarter ends"),
        ("reviewer", "the quarter ends"),
    ]


@pytest.mark.parametrize("body", [{}, {"usd": 0}, {"usd": -1}, {"usd": "inf"}, {"usd": 1e12}])
async def test_what_is_no_amount_is_refused(guarded: Guarded, body: dict[str, object]) -> None:
    async with await guarded.client("admin") as client:
        assert (await client.post("/api/v1/budgets/ops/allow", json=body)).status_code == 422


async def test_a_budget_or_period_there_is_not_is_not_found(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        for name, period in (("none", ""), ("ops", "1999-01")):
            answer = await client.post(f"/api/v1/budgets/{name}/allow", json={"usd": 1, "period": period})
            assert answer.status_code == 404
            assert f"there is no budget '{name}'" in answer.json()["error"]["message"]


async def test_pages_say_that_a_budget_is_spent_and_escape_what_rows_are_called(guarded: Guarded) -> None:
    pages = {}
    async with guarded.browser("reviewer") as client:
        for path in ("/budgets", "/runs/r", "/reviews", "/runs/r/rows/ops/%3Cb%3Eb%3C%2Fb%3E"):
            pages[path] = (await client.get(path)).text
    assert all("1 row waits" in page or "1 row waits" in page.replace("<b>", "") for page in pages.values())
    assert "ops/&lt;b&gt;b&lt;/b&gt;" in pages["/budgets"]
    assert pages["/budgets"].count("data-allow=") == 2, "of the budget that names others there is no form"
