"""Two hundred mixed rows through a real gateway to two real HTTP servers: one in the house, one outside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelAnswer, ModelRequest, NoLocalModel
from activities.llm.described import models_of
from activities.llm.gateway_client import GatewayCompletion
from activities.routing.contracts import Route, RouteRequest
from activities.routing.register import SqlLocalShares
from catalogs.row import Risk
from temporal.contract import StepRef
from tests.activities.llm.conftest import GatewayProcess
from tests.provider.mixed import FAILS_AT_HOME, ROWS, mixed_rows
from tests.provider.process import VendorProcess, vendor_process
from workers.models import keyless_models, open_planner
from workers.settings import Settings

MODELS = """
deployments:
  llama: {{model: openai/llama, url: "{house}", local: true, context_tokens: 16000}}
  mini: {{model: openai/mini, url: "{outside}", key_env: OUTSIDE_KEY, budget_usd_per_day: 0.001}}
  gpt: {{model: openai/gpt, url: "{outside}", key_env: OUTSIDE_KEY}}
groups:
  house: {{deployments: [llama]}}
  cheap: {{deployments: [mini], strategy: order, fallback: [best]}}
  best: {{deployments: [gpt], fallback: [house]}}
  outside: {{deployments: [gpt]}}
routing: {{tiers: [house, cheap, best]}}
default: cheap
"""
PRICES = "usd_per_million_tokens: {openai/mini: {input: 2, output: 2}, openai/gpt: {input: 4, output: 4}}\n"


@dataclass
class Office:
    """A gateway, a model of the house and a vendor outside."""

    gateway: GatewayProcess
    settings: Settings
    house: VendorProcess
    outside: VendorProcess


@pytest.fixture(scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    home: Path = tmp_path_factory.mktemp("office")
    async with vendor_process() as house, vendor_process() as outside:
        models, prices = home / "models.yaml", home / "prices.yaml"
        models.write_text(MODELS.format(house=house.url, outside=outside.url))
        prices.write_text(PRICES)
        environment = {"PRISM_MODELS": str(models), "PRISM_PRICES": str(prices), "OUTSIDE_KEY": "sk-outside"}
        gateway = GatewayProcess(home, outside, **environment)
        await gateway.start()
        yield Office(gateway, Settings(home=home, models=models, prices=prices), house, outside)
        await gateway.kill()


@dataclass
class Written:
    """How a row was written: who was chosen, who answered."""

    row: dict[str, str]
    route: Route
    answers: list[ModelAnswer]

    @property
    def kept(self) -> bool:
        return self.row["data_class"] in {"confidential", "restricted"}


async def write(office: Office, client: GatewayCompletion, row: dict[str, str]) -> Written:
    """Write a row as its workflow does: choose, ask, and have the next tier write what failed at home."""
    local_only = row["data_class"] in {"confidential", "restricted"}
    planner = open_planner(office.settings, office.gateway.stores.engine, keyless_models(office.settings))
    step = StepRef(run="mixed", row=row["id"], step="route")
    prompt = Text.by_value(row["objective"])
    criteria = tuple(filter(None, [row["verification"]]))
    request = RouteRequest(
        step=step, risk=Risk(row["risk"]), local_only=local_only, prompt_bytes=prompt.size, criteria=criteria
    )
    written = Written(row, await planner.route(request), [])
    for ordinal, group in enumerate(written.route.groups[:2]):
        asked = StepRef(run="mixed", row=row["id"], step="model", ordinal=ordinal)
        call = ModelRequest(step=asked, group=group, prompt=prompt, max_tokens=40, local_only=local_only)
        written.answers.append(await client.complete(call))
        if FAILS_AT_HOME not in criteria or not written.answers[-1].local:
            break
    return written


async def test_two_hundred_mixed_rows_reach_the_local_share(office: Office) -> None:
    engine = office.gateway.stores.engine
    insert = text(
        "INSERT INTO rows (run, row, position, board, task, title, objective, risk, upstream, state, attempt,"
        " generation, code, message, model, prompt_tokens, completion_tokens, cost_usd, verdicts, findings)"
        " VALUES ('mixed', :id, :at, '', '', '', '', :risk, '[]', 'running', 1, 0, '', '', '', 0, 0, 0, '[]', '[]')"
    )
    rows = mixed_rows()
    with engine.begin() as connection:
        connection.execute(insert, [{"id": row["id"], "at": at, "risk": row["risk"]} for at, row in enumerate(rows)])
    room = asyncio.Semaphore(16)
    async with aclosing(office.gateway.client()) as client:

        async def pass_by(row: dict[str, str]) -> Written:
            async with room:
                return await write(office, client, row)

        written = await asyncio.gather(*(pass_by(row) for row in rows))

    told = await SqlLocalShares(engine, keyless_models(office.settings)).run("mixed")
    at_home, elsewhere = await office.house.requests(), await office.outside.requests()
    assert (told.local_calls, told.calls) == (at_home, at_home + elsewhere), "as the servers counted"
    assert told.share == pytest.approx(0.4, abs=0.02)
    assert told.calls > ROWS, "some drafts failed at home"

    for one in written:
        if one.kept:
            assert all(answer.local for answer in one.answers)
        elif one.row["risk"] in {"high", "critical"}:
            assert not any(answer.local for answer in one.answers)
    either = [one.route for one in written if one.route.suits is not None]
    stayed = [route.suits or 0 for route in either if route.local]
    left = [route.suits or 0 for route in either if not route.local]
    assert sum(stayed) / len(stayed) > sum(left) / len(left) + 0.15

    models = await models_of(office.settings.socket)
    assert models
    deployments = {one.name: one for group in models.groups for one in group.deployments}
    assert 0.0007 < deployments["mini"].spent_usd <= 0.001, "its budget of the day is spent, and not overrun"
    assert any("openai/gpt" in {answer.model for answer in one.answers} for one in written if one.route.suits)
    assert deployments["llama"].local


async def test_the_gateway_sends_nothing_of_the_house_outside_whatever_it_is_asked(office: Office) -> None:
    before = await office.outside.requests()
    async with aclosing(office.gateway.client()) as client:
        for group in ("best", "cheap", "", "auto"):
            step = StepRef(run="kept", row=f"by {group}", step="model")
            call = ModelRequest(step=step, group=group, prompt=Text.by_value("Secret"), local_only=True)
            answer = await client.complete(call)
            assert (answer.local, answer.model) == (True, "openai/llama")
        step = StepRef(run="kept", row="by outside", step="model")
        with pytest.raises(NoLocalModel):
            await client.complete(call.model_copy(update={"group": "outside", "step": step}))
    assert await office.outside.requests() == before
