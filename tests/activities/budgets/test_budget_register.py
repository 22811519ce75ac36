"""How budgets stand, what people allow, and whom there is room for."""

import pytest
from sqlalchemy import Engine, text

from activities.budgets.contracts import BudgetSpent, BudgetState, UnknownBudget
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules import Budget, BudgetRules
from tests.activities.budgets.conftest import Clock, step

DAY = Budget.model_validate({"name": "day", "limit_usd": "1", "per": "day", "warn_at": "80%", "approvers": ["cfo"]})
EACH = Budget.model_validate({"name": "boards", "limit_usd": "1", "per": "month", "board": "*"})
RULES = BudgetRules(budgets=(DAY, EACH))
TODAY = "2026-11-24"


@pytest.fixture
def register(records: Engine, clock: Clock) -> SqlBudgetRegister:
    return SqlBudgetRegister(records, RULES, clock)


@pytest.fixture
def guard(records: Engine, clock: Clock) -> SqlSpendGuard:
    return SqlSpendGuard(records, RULES, clock)


async def stopped(guard: SqlSpendGuard, usd: float, *rows: str) -> None:
    for row in rows:
        with pytest.raises(BudgetSpent):
            await guard.reserve(step(row), usd)


async def test_a_budget_that_nobody_spent_is_shown_whole(register: SqlBudgetRegister) -> None:
    (day,) = await register.budgets()
    assert (day.budget, day.period, day.left_usd, day.state) == ("day", TODAY, 1.0, BudgetState.OPEN)
    assert day.renews_at == "2026-11-25T00:00:00.000000Z"


async def test_boards_with_a_budget_each_are_shown_one_by_one(
    register: SqlBudgetRegister, guard: SqlSpendGuard
) -> None:
    for row in "ac":
        await guard.reserve(step(row), 0.1)
    assert [(view.budget, view.board) for view in await register.budgets()] == [
        ("day", ""),
        ("boards", "legal"),
        ("boards", "ops"),
    ]


async def test_who_crosses_the_mark_is_warned_of_once_and_again_when_more_was_allowed(
    register: SqlBudgetRegister, guard: SqlSpendGuard
) -> None:
    await guard.reserve(step("a"), 0.9)
    await guard.settle(step("a"), 0.7)
    assert await register.crossings() == []
    await guard.reserve(step("b"), 0.1)
    await guard.settle(step("b"), 0.1)
    ((view, run, row),) = [one for one in await register.crossings() if one[0].budget == "day"]
    assert (view.state, run, row) == (BudgetState.NEARLY_SPENT, "monday", "b")
    await register.warned(view)
    assert "day" not in [one[0].budget for one in await register.crossings()]
    await register.allow("day", TODAY, 1.0, "cfo", "", "one")
    await guard.reserve(step("c"), 0.9)
    await guard.settle(step("c"), 0.9)
    assert "day" in [one[0].budget for one in await register.crossings()]


async def test_what_is_allowed_makes_room_for_as_many_as_fit_the_first_first(
    register: SqlBudgetRegister, guard: SqlSpendGuard
) -> None:
    await guard.reserve(step("a", 9), 1.0)
    await stopped(guard, 0.4, "a", "b", "c")
    stops = await register.stops()
    assert await register.room(stops) == []
    allowed = await register.allow("day", TODAY, 0.8, "cfo", "the quarter ends", "one")
    assert (allowed.allowed_usd, len(allowed.waiting)) == (0.8, 3)
    assert [stop.row for stop in await register.room(stops)] == ["a", "b"]


async def test_a_request_that_is_repeated_allows_once(register: SqlBudgetRegister, records: Engine) -> None:
    for _ in range(2):
        view = await register.allow("day", TODAY, 5.0, "cfo", "yes", "same")
    assert view.allowed_usd == 5.0
    with records.connect() as connection:
        entries = connection.execute(
            text("SELECT actor, subject FROM audit_entries WHERE kind = 'budget.allowed'")
        ).all()
    assert [tuple(entry) for entry in entries] == [("cfo", f"budget/day/{TODAY}")]


async def test_a_budget_whose_calls_under_way_leave_room_when_paid_is_not_exhausted(
    register: SqlBudgetRegister, guard: SqlSpendGuard
) -> None:
    await guard.reserve(step("a", 9), 0.9)
    await stopped(guard, 0.4, "a")
    assert await register.exhausted(await register.stops()) == []
    assert (await register.budgets())[0].state is BudgetState.NEARLY_SPENT
    await guard.settle(step("a", 9), 0.7)
    assert [stop.row for stop in await register.exhausted(await register.stops())] == ["a"]
    assert (await register.budgets())[0].state is BudgetState.SPENT


@pytest.mark.parametrize(("name", "period"), [("nope", TODAY), ("day", "1999-01-01"), ("run", "run/unknown")])
async def test_what_there_is_not_cannot_be_allowed(register: SqlBudgetRegister, name: str, period: str) -> None:
    with pytest.raises(UnknownBudget):
        await register.allow(name, period, 1.0, "cfo", "", "key")


async def test_a_new_day_makes_room_for_all(register: SqlBudgetRegister, guard: SqlSpendGuard, clock: Clock) -> None:
    await guard.reserve(step("a", 9), 1.0)
    await stopped(guard, 0.4, "a", "b")
    clock.pass_by(hours=12)
    assert len(await register.room(await register.stops())) == 2
    periods = [(view.period, len(view.waiting)) for view in await register.budgets() if view.budget == "day"]
    assert sorted(periods) == [(TODAY, 2), ("2026-11-25", 0)]


async def test_a_row_that_ended_waits_no_longer(
    register: SqlBudgetRegister, guard: SqlSpendGuard, records: Engine
) -> None:
    await stopped(guard, 2.0, "a", "b")
    with records.begin() as connection:
        connection.execute(text("UPDATE rows SET state = 'cancelled' WHERE run = 'monday' AND row = 'a'"))
    assert [stop.row for stop in await register.stops()] == ["b"]


async def test_a_run_is_told_what_it_counts_against(register: SqlBudgetRegister, guard: SqlSpendGuard) -> None:
    await guard.reserve(step("a", run="capped"), 0.2)
    await guard.reserve(step("c", run="monday"), 0.2)
    assert {(view.budget, view.board) for view in await register.budgets("capped")} == {
        ("day", ""), ("boards", "ops"), ("boards", "legal"), ("run", ""),
    }  # fmt: skip
    own = next(view for view in await register.budgets("capped") if view.budget == "run")
    assert (own.limit_usd, own.reserved_usd, own.renews_at) == (1.0, 0.2, None)
