"""Budgets of single deployments, on SQLite and PostgreSQL."""

import asyncio

from sqlalchemy import Engine

from activities.budgets.deployments import SqlAllowances
from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules import BudgetRules
from tests.activities.budgets.conftest import Clock

RULES = BudgetRules.model_validate({"time_zone": "Europe/Berlin"})


async def test_thirty_at_once_take_a_budget_and_not_a_cent_more(engine: Engine, clock: Clock) -> None:
    purse = SqlAllowances(engine, RULES, clock)
    wishes = await asyncio.gather(*(purse.take("gpt", 1.0, 0.1) for _ in range(30)))
    granted = [one for one in wishes if one.granted]
    assert len(granted) == 10
    assert not any(one.spent for one in wishes), "calls under way may cost less than they could"
    assert await purse.spent_usd("gpt") == 0
    for one in granted:
        await purse.settle(one, 0.05)
    assert await purse.spent_usd("gpt") == 0.5
    assert (await purse.take("gpt", 1.0, 0.5)).granted
    refused = await purse.take("gpt", 1.0, 0.6)
    assert (refused.granted, refused.spent, refused.wait_seconds) == (False, False, refused.renews_in_seconds)
    never = await purse.take("gpt", 1.0, 1.1)
    assert (never.granted, never.wait_seconds) == (False, 0), "tomorrow would be no better"
    assert (await purse.take("other", 1.0, 0.6)).granted, "each has its own"


async def test_a_budget_is_whole_again_when_the_day_turns_where_the_house_is(engine: Engine, clock: Clock) -> None:
    purse = SqlAllowances(engine, RULES, clock)
    await purse.settle(await purse.take("gpt", 1.0, 1.0), 1.0)
    spent = await purse.take("gpt", 1.0, 0.1)
    assert (spent.spent, spent.renews_in_seconds) == (True, 11 * 3600)
    clock.pass_by(seconds=spent.renews_in_seconds)
    assert (await purse.take("gpt", 1.0, 0.1)).granted
    assert await purse.spent_usd("gpt") == 0
    assert await SqlBudgetRegister(engine, RULES, clock).budgets() == [], "it is no budget of people's"
