"""Runs that meet a spent budget: they pause, people are asked, and with more to spend every row goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.budgets.guard import SqlSpendGuard
from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules import Budget, BudgetRules
from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.notifications.inbox import InboxNotifier
from activities.records.contracts import RunState
from activities.records.queries import RecordQueries
from tests.installation import DEADLINE, Installation, Run, ScriptedModel
from workers.budgets import BudgetWatch

PRICE = 0.25
HALF = Budget.model_validate({"name": "half", "limit_usd": "0.5", "per": "month", "approvers": ["cfo"]})
THREE = "id,objective\na,One\nb,Two\nc,Three\n"


class GuardedModel(ScriptedModel):
    """Counts each call before it makes it, as the gateway does."""

    guard: SqlSpendGuard

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        await self.guard.reserve(request.step, PRICE)
        answer = await super().complete(request)
        await self.guard.settle(request.step, answer.cost_usd)
        return answer


class Budgeted:
    """An installation with a budget, and the watch that a worker runs."""

    def __init__(self, home: Path, client: Client, *budgets: Budget) -> None:
        self.prism = Installation(home, client, lambda request: "An answer.")
        rules = BudgetRules(budgets=budgets)
        engine = self.prism.stores.engine
        model = GuardedModel(self.prism.stores, self.prism.model.answer)
        model.guard = SqlSpendGuard(engine, rules)
        self.prism.model = model
        self.register = SqlBudgetRegister(engine, rules)
        self.watch = BudgetWatch(client, self.register, RecordQueries(engine), InboxNotifier(engine))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with self.prism.worker():
            yield

    async def waiting(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(await self.register.stops()) != count:
                await asyncio.sleep(0.02)

    def inbox(self) -> list[tuple[str, str, str]]:
        found = self.prism.query("SELECT recipient, severity, title FROM notifications ORDER BY at, recipient")
        return [(one["recipient"], one["severity"], one["title"]) for one in found if "budget" in one["title"]]

    async def state(self, run: Run, state: RunState) -> None:
        async with asyncio.timeout(DEADLINE):
            while (await run.progress()).state is not state:
                await asyncio.sleep(0.02)


@pytest.fixture
def budgeted(tmp_path: Path, dev_client: Client) -> Budgeted:
    return Budgeted(tmp_path, dev_client, HALF)


async def test_a_run_pauses_asks_once_and_ends_when_more_was_allowed(budgeted: Budgeted) -> None:
    async with budgeted.working():
        run = await budgeted.prism.start(THREE, concurrency=1)
        await budgeted.waiting(1)
        for _ in range(2):
            await budgeted.watch.look()
        await budgeted.state(run, RunState.PAUSED)
        (month,) = await budgeted.register.budgets()
        paused = f"Run {run.run} is paused: the budget half ({month.period}) is spent"
        assert ("cfo", "error", paused) in budgeted.inbox()
        assert len([one for one in budgeted.inbox() if one[0] == "cfo"]) == 2, "the warning and the request"
        assert (await run.row_reaches("c", lambda progress: progress.step == "budget")).steps[-1].step == "prompt"

        await budgeted.register.allow("half", month.period, 1.0, "cfo", "", "key")
        await budgeted.watch.look()
        assert (await run.result()).state is RunState.COMPLETED
    assert len(budgeted.prism.model.requests) == 3
    steps = budgeted.prism.query(
        "SELECT step, state, summary FROM steps WHERE row = 'c' AND step IN ('budget', 'model')"
    )
    assert {step["step"]: step["state"] for step in steps} == {"budget": "done", "model": "done"}
    assert (await budgeted.register.budgets())[0].spent_usd == pytest.approx(3 * PRICE)


async def test_rows_go_on_only_as_far_as_there_is_room_and_their_run_stays_paused(budgeted: Budgeted) -> None:
    async with budgeted.working():
        run = await budgeted.prism.start(THREE + "d,Four\n", concurrency=4)
        await budgeted.waiting(2)
        await budgeted.watch.look()
        (month,) = await budgeted.register.budgets()
        await budgeted.register.allow("half", month.period, PRICE, "cfo", "", "one")
        await budgeted.watch.look()
        await budgeted.waiting(1)
        await budgeted.state(run, RunState.PAUSED)
        await budgeted.register.allow("half", month.period, PRICE, "cfo", "", "two")
        await budgeted.watch.look()
        assert (await run.result()).state is RunState.COMPLETED
    assert len(budgeted.prism.model.requests) == 4


async def test_a_stopped_row_outlives_its_worker_and_pays_nothing_twice(budgeted: Budgeted) -> None:
    async with budgeted.working():
        run = await budgeted.prism.start(THREE, concurrency=3)
        await budgeted.waiting(1)
        await budgeted.watch.look()
    (month,) = await budgeted.register.budgets()
    await budgeted.register.allow("half", month.period, 1.0, "cfo", "", "key")
    await budgeted.watch.look()
    async with budgeted.working():
        assert (await run.result()).state is RunState.COMPLETED
    assert len(budgeted.prism.model.requests) == 3


async def test_a_run_that_is_cancelled_while_it_waits_is_forgotten(budgeted: Budgeted) -> None:
    async with budgeted.working():
        run = await budgeted.prism.start(THREE, concurrency=1)
        await budgeted.waiting(1)
        await budgeted.watch.look()
        await run.handle.cancel()
        async with asyncio.timeout(DEADLINE):
            while budgeted.prism.states(run)["c"] != "cancelled":
                await asyncio.sleep(0.02)
        assert await budgeted.register.stops() == []
        await budgeted.watch.look()


async def test_a_run_spends_no_more_than_it_was_started_with(tmp_path: Path, dev_client: Client) -> None:
    budgeted = Budgeted(tmp_path, dev_client)
    async with budgeted.working():
        run = await budgeted.prism.start(THREE, concurrency=1, budget_usd=0.6)
        await budgeted.waiting(1)
        await budgeted.watch.look()
        await budgeted.state(run, RunState.PAUSED)
        await budgeted.register.allow("run", f"run/{run.run}", 0.15, "ana", "", "key")
        await budgeted.watch.look()
        assert (await run.result()).state is RunState.COMPLETED
