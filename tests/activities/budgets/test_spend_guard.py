"""What stands before a call that costs money, on SQLite and PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import Engine

from activities.budgets.contracts import BudgetSpent, BudgetState, BudgetView
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules import Budget, BudgetRules
from tests.activities.budgets.conftest import Clock, step

DAY = Budget.model_validate({"name": "day", "limit_usd": "1", "per": "day"})
OPS = Budget.model_validate({"name": "ops", "limit_usd": "0.5", "per": "day", "board": "ops"})


def guard(records: Engine, clock: Clock, *budgets: Budget) -> SqlSpendGuard:
    return SqlSpendGuard(records, BudgetRules(budgets=budgets), clock)


async def view(records: Engine, clock: Clock, *budgets: Budget, name: str = "day") -> BudgetView:
    found = await SqlBudgetRegister(records, BudgetRules(budgets=budgets), clock).budgets()
    return next(one for one in found if one.budget == name)


async def test_what_a_call_may_cost_is_set_aside_and_what_it_cost_is_counted(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    assert await spending.reserve(step(), 0.4)
    assert (await view(records, clock, DAY)).reserved_usd == pytest.approx(0.4)
    await spending.settle(step(), 0.1234567)
    settled = await view(records, clock, DAY)
    assert (settled.spent_usd, settled.reserved_usd) == (pytest.approx(0.123457), 0)
    assert settled.left_usd == pytest.approx(0.876543)


async def test_a_failed_call_gives_back_what_was_set_aside(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    await spending.reserve(step(), 1.0)
    await spending.release(step())
    assert (await view(records, clock, DAY)).left_usd == 1.0


async def test_fifty_at_once_spend_a_budget_and_not_a_cent_more(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    calls = [spending.reserve(step(ordinal=number), 0.1) for number in range(50)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is True] == [True] * 10
    assert sum(isinstance(outcome, BudgetSpent) for outcome in outcomes) == 40
    assert (await view(records, clock, DAY)).reserved_usd == pytest.approx(1.0)


async def test_a_refused_call_touches_no_other_budget_and_says_which_is_spent(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY, OPS)
    with pytest.raises(BudgetSpent, match=r"a call of up to \$0.6000 is more than is left of the budget ops") as spent:
        await spending.reserve(step(), 0.6)
    assert (await view(records, clock, DAY, OPS)).reserved_usd == 0
    ops = await view(records, clock, DAY, OPS, name="ops")
    assert ops.state is BudgetState.SPENT
    assert [(waiting.row, waiting.needed_usd) for waiting in ops.waiting] == [("a", 0.6)]
    assert spent.value.details["budget"] == "ops"


async def test_a_board_spends_its_own_budget_only(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY, OPS)
    assert await spending.reserve(step("c"), 0.9)
    assert (await view(records, clock, DAY, OPS, name="ops")).reserved_usd == 0


async def test_a_call_that_was_cut_off_is_not_set_aside_twice(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    await spending.reserve(step(), 0.7)
    assert await guard(records, clock, DAY).reserve(step(), 0.7)
    assert (await view(records, clock, DAY)).reserved_usd == pytest.approx(0.7)
    await spending.settle(step(), 0.5)
    await spending.settle(step(), 0.5)
    assert (await view(records, clock, DAY)).spent_usd == pytest.approx(0.5)


async def test_every_attempt_of_a_stopped_call_is_one_stop(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    stops = []
    for row in ("a", "a", "b"):
        with pytest.raises(BudgetSpent) as spent:
            await spending.reserve(step(row), 2.0)
        stops.append(spent.value.details["stop"])
    assert stops[0] == stops[1] != stops[2]


async def test_a_free_call_and_one_that_nothing_limits_leave_no_trace(records: Engine, clock: Clock) -> None:
    assert not await guard(records, clock, DAY).reserve(step(), 0.0)
    assert not await guard(records, clock).reserve(step(), 5.0)
    assert (await view(records, clock, DAY)).reserved_usd == 0


async def test_a_run_has_the_budget_that_it_was_started_with(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock)
    assert await spending.reserve(step(run="capped"), 0.8)
    with pytest.raises(BudgetSpent, match="budget run"):
        await spending.reserve(step("b", run="capped"), 0.3)


async def test_a_new_day_has_all_of_its_budget(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    await spending.reserve(step(), 1.0)
    clock.pass_by(hours=12)
    assert await spending.reserve(step("b"), 1.0)


async def test_a_period_counts_what_was_set_aside_in_it_wherever_it_ends(records: Engine, clock: Clock) -> None:
    spending = guard(records, clock, DAY)
    await spending.reserve(step(), 1.0)
    clock.pass_by(hours=12)
    await spending.settle(step(), 0.5)
    assert (await view(records, clock, DAY)).spent_usd == 0
