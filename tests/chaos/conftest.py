"""The embedded system's real processes, to be killed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from temporal.client import connect
from tests.conftest import free_port
from tests.installation import Installation
from tests.provider.process import VendorProcess, vendor_process
from workers.parts import Part
from workers.settings import Settings
from workers.up import build_parts


class System:
    """Temporal server, gateway and worker as ``prism up`` runs them."""

    def __init__(self, settings: Settings, vendor: VendorProcess) -> None:
        self.settings = settings
        self.vendor = vendor
        self.parts = {part.name: part for part in build_parts(settings) if part.name != "api"}
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> Client:
        for part in self.parts.values():
            await part.start()
            await part.wait_until_ready()
        self._keepers = [asyncio.create_task(part.keep_alive(lambda line: None)) for part in self.parts.values()]
        return await connect(self.settings.temporal)

    def kill(self, name: str) -> None:
        process = self.parts[name].process
        assert process
        os.kill(process.pid, signal.SIGKILL)

    async def restarted(self, name: str, times: int) -> Part:
        async with asyncio.timeout(60):
            while self.parts[name].restarts < times:
                await asyncio.sleep(0.05)
        return self.parts[name]

    async def stop(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        for part in reversed(self.parts.values()):
            await part.stop()


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[System, Installation]]:
    home: Path = tmp_path_factory.mktemp("chaos")
    async with vendor_process() as vendor:
        settings = Settings(
            home=home,
            temporal_port=free_port(),
            temporal_ui_port=free_port(),
            api_port=free_port(),
            model_url=vendor.url,
            model_name="stub",
        )
        system = System(settings, vendor)
        client = await system.start()
        try:
            yield system, Installation(home, client, lambda request: "")
        finally:
            await system.stop()
