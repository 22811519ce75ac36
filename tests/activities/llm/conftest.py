"""A gateway as its own process, and the vendor it calls."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelRequest
from activities.llm.gateway_client import GatewayCompletion
from activities.llm.groups import PROVIDERS
from temporal.contract import StepRef
from tests.provider.process import VendorProcess, vendor_process
from workers.compose import Stores, open_stores
from workers.settings import Settings

START_SECONDS = 150


class GatewayProcess:
    """A gateway that can be killed and started again."""

    def __init__(self, home: Path, vendor: VendorProcess, **environment: str) -> None:
        self.settings = Settings(home=home)
        self.stores: Stores = open_stores(self.settings)
        self.environment = {
            **os.environ,
            "PRISM_HOME": str(home),
            "PRISM_MODEL_URL": vendor.url,
            "PRISM_MODEL_NAME": "stub",
            "PRISM_MODEL_KEY": "sk-planted-secret",
            **environment,
        }
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        await self.spawn()
        await self.ready()

    async def spawn(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.gateway", env=self.environment
        )

    async def ready(self) -> None:
        assert self.process
        transport = httpx.AsyncHTTPTransport(uds=str(self.settings.socket))
        async with httpx.AsyncClient(transport=transport, timeout=60) as client, asyncio.timeout(START_SECONDS):
            while True:
                try:
                    if (await client.get("http://gateway/healthz")).json()["loaded"]:
                        return
                except httpx.HTTPError:
                    assert self.process.returncode is None
                await asyncio.sleep(0.1)

    async def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process
        self.process.send_signal(number)
        return await self.process.wait()

    def client(self) -> GatewayCompletion:
        return GatewayCompletion(self.settings.socket, self.stores.texts)


@pytest.fixture(scope="module")
async def vendor_server() -> AsyncIterator[VendorProcess]:
    async with vendor_process() as vendor:
        yield vendor


@pytest.fixture
async def vendor(vendor_server: VendorProcess) -> VendorProcess:
    """The vendor, its memory blank."""
    await vendor_server.script(reset=True, delay=0.0)
    return vendor_server


@pytest.fixture(scope="module")
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, vendor_server: VendorProcess
) -> AsyncIterator[GatewayProcess]:
    keys = {variable: "sk-planted-secret" for variable, _ in PROVIDERS.values()}
    gateway = GatewayProcess(tmp_path_factory.mktemp("gateway"), vendor_server, **keys)
    await gateway.start()
    # The first call takes seconds of processor time: litellm imports what it needs for it.
    step = StepRef(run="r", row="warm", step="model")
    async with aclosing(gateway.client()) as client:
        await client.complete(ModelRequest(step=step, prompt=Text.by_value("Say hello"), timeout=60))
    yield gateway
    if gateway.process and gateway.process.returncode is None:
        await gateway.kill(signal.SIGTERM)
