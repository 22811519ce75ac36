"""Choices are kept, counted and told, on SQLite and PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import Engine, text

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.llm.groups import ModelGroups, RoutingRules
from activities.records.calls import SqlCallLedger
from activities.records.database import timestamp
from activities.routing.contracts import RouteRequest
from activities.routing.register import SqlLocalShares, SqlRoutePlanner
from temporal.contract import StepRef
from tests.activities.routing.test_choice import GROUPS, asked

ROWS = 60


def request(number: int, **known: object) -> RouteRequest:
    step = StepRef(run="monday", row=f"row/{number}", step="route")
    return asked().model_copy(update={"step": step, "prompt_bytes": number * 40, **known})


async def answered(
    engine: Engine, number: int, *, local: bool, cached_from: str = "", board: str = "", **step: object
) -> None:
    ledger = SqlCallLedger(engine)
    place = StepRef.model_validate({"run": "monday", "row": f"row/{number}", "step": "model", **step})
    call = ModelRequest(step=place, prompt=Text.by_value("Say hello"), board=board)
    await ledger.begin(call)
    answer = ModelAnswer(
        output=Text.by_value("x"),
        group="g",
        model="m",
        prompt_tokens=30,
        completion_tokens=10,
        local=local,
        cached_from=cached_from,
    )
    for _ in range(2):
        await ledger.record(call, answer)


@pytest.fixture
def records(engine: Engine) -> Engine:
    """The records database with a run of sixty rows in it."""
    row = text(
        "INSERT INTO rows (run, row, position, board, task, title, objective, risk, upstream, state, attempt,"
        " generation,"
        " code, message, model, prompt_tokens, completion_tokens, cost_usd, verdicts, findings)"
        " VALUES ('monday', :row, :at, '', '', '', '', 'low', '[]', 'running', 1, 0, '', '', '', 0, 0, 0, '[]', '[]')"
    )
    with engine.begin() as connection:
        connection.execute(row, [{"row": f"row/{number}", "at": number} for number in range(ROWS)])
    return engine


async def test_the_first_choice_under_a_key_stays_whatever_changes(records: Engine) -> None:
    first = await SqlRoutePlanner(records, GROUPS).route(request(1))
    for share in (0.0, 1.0):
        routing = RoutingRules(tiers=("best", "house"), local_share=share)
        changed = GROUPS.model_copy(update={"routing": routing})
        again = await asyncio.gather(*(SqlRoutePlanner(records, changed).route(request(1)) for _ in range(5)))
        assert again == [first] * 5
    with records.connect() as connection:
        assert connection.scalar(text("SELECT sum(rows) FROM local_shares")) == 1


async def test_many_at_once_reach_the_target(records: Engine) -> None:
    planner = SqlRoutePlanner(records, GROUPS)
    room = asyncio.Semaphore(16)

    async def pass_by(number: int) -> bool:
        async with room:
            route = await planner.route(request(number))
            await answered(records, number, local=route.local)
            return route.local

    local = await asyncio.gather(*(pass_by(number) for number in range(ROWS)))
    told = await SqlLocalShares(records, GROUPS).run("monday")
    assert (told.calls, told.local_calls, told.tokens) == (ROWS, sum(local), ROWS * 40)
    assert told.share == pytest.approx(0.4, abs=0.02)
    ((_, day),) = await SqlLocalShares(records, GROUPS).days()
    assert day == told
    assert day.target == 0.4


async def test_calls_that_judge_and_answers_that_are_heard_again_count_for_nothing(records: Engine) -> None:
    await answered(records, 1, local=True)
    await answered(records, 1, local=False, ordinal=1, context="of notes")
    await answered(records, 1, local=True, step="judge")
    await answered(records, 2, local=True, cached_from="catalog/sunday/row/a/model/0")
    told = await SqlLocalShares(records, GROUPS).run("monday")
    assert (told.calls, told.local_calls) == (2, 1)
    assert (await SqlLocalShares(records, GROUPS).run("tuesday")).share is None


async def test_each_board_has_a_share_of_its_own_by_calls_and_by_tokens(records: Engine) -> None:
    for number, (board, local) in enumerate([("ops", True), ("ops", False), ("ops", False), ("", True)]):
        await answered(records, number, local=local, board=board)
    shares, today = SqlLocalShares(records, GROUPS), timestamp()[:10]
    told = [(board, one.calls, one.of_calls, one.of_tokens, one.target) for board, one in await shares.boards(today)]
    assert told == [("ops", 3, 1 / 3, 1 / 3, 0.4), ("", 1, 1.0, 1.0, 0.4)]
    assert (await shares.since(today)).of_calls == 0.5
    assert (await shares.boards("9999"), (await shares.since("9999")).of_tokens) == ([], None)


async def test_the_share_may_be_one_of_tokens(records: Engine) -> None:
    routing = RoutingRules.model_validate({"tiers": ["house", "cheap"], "local_share_of": "tokens"})
    groups: ModelGroups = GROUPS.model_copy(update={"routing": routing})
    planner = SqlRoutePlanner(records, groups)
    for number in range(ROWS):
        route = await planner.route(request(number, prompt_bytes=0, max_tokens=80))
        await answered(records, number, local=route.local)
    told = await SqlLocalShares(records, groups).run("monday")
    assert told.of == "tokens"
    assert told.share == pytest.approx(0.4, abs=0.02)


async def test_with_little_left_of_a_budget_rows_go_to_the_least_tier(records: Engine) -> None:
    async def little(_run: str) -> float:
        return 0.1

    planner = SqlRoutePlanner(records, GROUPS, little)
    routes = [await planner.route(request(number)) for number in range(5)]
    assert {route.reason for route in routes} == {"10% of the budget is left"}
    assert all(route.local for route in routes)
