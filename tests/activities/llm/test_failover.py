"""The fault table: one gateway, two vendors over real sockets, OpenAI's protocol in front and Anthropic's behind it.

Each line: what the first vendor does, who answers, how many requests either got, and what it cost.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from activities.artifacts.contracts import Text, digest_of
from activities.llm.cache_asking import cache_counts, clear_cache
from activities.llm.contracts import ModelAnswer, ModelRefused, ModelRequest
from temporal.contract import StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode
from tests.activities.llm.conftest import GatewayProcess
from tests.provider.process import VendorProcess, vendor_process

PRICES = "usd_per_million_tokens: {openai/front: {input: 1, output: 2}, anthropic/behind: {input: 100, output: 200}}\n"
FRONT, BEHIND = 0.00002, 0.002
# What the first vendor does: who answers (or the error), requests to the first and second, cost in dollars.
TABLE: dict[str, tuple[str, int, int, float]] = {
    "ok": ("openai/front", 1, 0, FRONT),
    "429": ("anthropic/behind", 1, 1, BEHIND),
    "500": ("anthropic/behind", 1, 1, BEHIND),
    "503": ("anthropic/behind", 1, 1, BEHIND),
    "529": ("anthropic/behind", 1, 1, BEHIND),
    "401": ("anthropic/behind", 1, 1, BEHIND),
    "404": ("anthropic/behind", 1, 1, BEHIND),
    "malformed": ("anthropic/behind", 1, 1, BEHIND),
    "html": ("anthropic/behind", 1, 1, BEHIND),
    "cut": ("anthropic/behind", 1, 1, BEHIND),
    "reset": ("anthropic/behind", 1, 1, BEHIND),
    "hang": ("anthropic/behind", 1, 1, BEHIND),
    "drip": ("anthropic/behind", 1, 1, BEHIND),
    "too_long": ("anthropic/behind", 1, 1, BEHIND),
    "400": ("MODEL_REFUSED", 1, 0, 0.0),
    "422": ("MODEL_REFUSED", 1, 0, 0.0),
    "307": ("MODEL_REFUSED", 1, 0, 0.0),
    "empty": ("openai/front", 1, 0, FRONT),
}


class Routed:
    """A gateway in front of two vendors; every fault has a group of its own, so no circuit outlives a test."""

    def __init__(self, gateway: GatewayProcess, front: VendorProcess, behind: VendorProcess) -> None:
        self.gateway, self.front, self.behind = gateway, front, behind

    async def requests(self) -> tuple[int, int]:
        return await self.front.requests(), await self.behind.requests()

    async def ask(self, group: str, **changes: Any) -> ModelAnswer:
        prompt = "Say hello"
        text = Text(digest=digest_of(prompt.encode()), size=len(prompt), inline=prompt)
        step = StepRef(run="r", row=uuid.uuid4().hex, step="model")
        values = {"step": step, "prompt": text, "timeout": 2, "group": group, **changes}
        async with aclosing(self.gateway.client()) as client:
            return await client.complete(ModelRequest.model_validate(values))


@asynccontextmanager
async def routed_gateway(home: Path) -> AsyncIterator[Routed]:
    async with vendor_process() as front, vendor_process() as behind:
        models, prices = home / "models.yaml", home / "prices.yaml"
        lines = ["deployments:"]
        for name in [*TABLE, "count"]:
            lines += [f"  front-{name}: {{model: openai/front, url: '{front.url}', key_env: FRONT_KEY}}"]
        lines += [
            f"  behind: {{model: anthropic/behind, url: '{behind.url.removesuffix('/v1')}', key_env: BEHIND_KEY}}"
        ]
        lines += [f"  mistral: {{model: mistral/mistral-small-latest, url: '{front.url}', key_env: FRONT_KEY}}"]
        lines += ["groups:", "  behind: {deployments: [behind]}", "  mistral: {deployments: [mistral]}"]
        for name in [*TABLE, "count"]:
            lines += [f"  fast-{name}: {{deployments: [front-{name}], fallback: [behind], longer: [behind]}}"]
        models.write_text("\n".join(lines) + "\n")
        prices.write_text(PRICES)
        keys = {"FRONT_KEY": "sk-planted-front", "BEHIND_KEY": "sk-planted-behind"}
        settings = {"PRISM_MODELS": str(models), "PRISM_PRICES": str(prices)}
        gateway = GatewayProcess(home, front, **keys, **settings)
        await gateway.start()
        yield Routed(gateway, front, behind)
        await gateway.kill()


@pytest.fixture(scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Routed]:
    async with routed_gateway(tmp_path_factory.mktemp("routed")) as routed:
        yield routed


@pytest.fixture
async def routed(gateways: Routed) -> Routed:
    for vendor in (gateways.front, gateways.behind):
        await vendor.script(reset=True, delay=0.0)
    return gateways


@pytest.mark.parametrize("fault", TABLE)
async def test_the_fault_table(routed: Routed, fault: str) -> None:
    await routed.front.script(faults=[] if fault == "ok" else [fault])
    outcome, first, second, cost = TABLE[fault]
    if outcome == ErrorCode.MODEL_REFUSED:
        with pytest.raises(ModelRefused) as refused:
            await routed.ask(f"fast-{fault}")
        assert "sk-planted" not in refused.value.message
    else:
        answer = await routed.ask(f"fast-{fault}")
        assert (answer.model, answer.attempt) == (outcome, first + second)
        assert answer.cost_usd == pytest.approx(cost)
    assert await routed.requests() == (first, second)


async def test_both_down_costs_one_request_each_and_no_more_than_the_row_allows(routed: Routed) -> None:
    await routed.front.script(faults=["500"])
    await routed.behind.script(faults=["500"])
    with pytest.raises(PrismError) as ended:
        await routed.ask("fast-count", attempts=2)
    assert ended.value.code is ErrorCode.MODEL_UNAVAILABLE
    assert not ended.value.retryable
    assert await routed.requests() == (1, 1)


async def test_mistrals_protocol_is_spoken(routed: Routed) -> None:
    answer = await routed.ask("mistral")
    assert answer.model == "mistral/mistral-small-latest"
    assert await routed.requests() == (1, 0)


async def test_a_fault_of_anthropics_is_told_without_its_key(routed: Routed) -> None:
    await routed.behind.script(faults=["400"])
    with pytest.raises(ModelRefused) as refused:
        await routed.ask("behind")
    assert "sk-planted" not in refused.value.message


async def test_equal_calls_of_many_rows_reach_the_vendor_once(routed: Routed) -> None:
    await routed.front.script(delay=0.3)
    answers = await asyncio.gather(*(routed.ask("fast-ok", cache="use", timeout=60) for _ in range(20)))
    assert await routed.requests() == (1, 0)
    assert sum(answer.cost_usd for answer in answers) == pytest.approx(FRONT)
    assert sum(answer.saved_usd for answer in answers) == pytest.approx(19 * FRONT)
    assert (await routed.ask("fast-ok", cache="use", timeout=60)).cached_from
    assert await routed.requests() == (1, 0)
    assert not (await routed.ask("fast-ok", cache="bypass", timeout=60)).cached_from
    assert not (await routed.ask("fast-ok", timeout=60)).cached_from
    assert await routed.requests() == (3, 0)
    counts = await cache_counts(routed.gateway.settings.socket)
    assert (counts.missed, counts.joined + counts.near) == (1, 20)
    await clear_cache(routed.gateway.settings.socket)
    assert not (await routed.ask("fast-ok", cache="use", timeout=60)).cached_from


async def test_an_answer_from_the_cache_stays_the_rows_own(routed: Routed) -> None:
    step = StepRef(run="r", row="again", step="model")
    await routed.ask("behind", cache="use", timeout=60)
    first = await routed.ask("behind", cache="use", timeout=60, step=step)
    await clear_cache(routed.gateway.settings.socket)
    again = await routed.ask("behind", cache="use", timeout=60, step=step)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.output == first.output
    assert again.cached_from == first.cached_from != ""
    assert await routed.requests() == (0, 1)
