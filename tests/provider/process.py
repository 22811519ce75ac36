"""Starts the vendor's process and asks it what it saw."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


class VendorProcess:
    """A running vendor."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)

    async def calls(self) -> dict[str, Any]:
        report: dict[str, Any] = (await self._client.get("/_calls")).json()
        return report

    async def requests(self) -> int:
        return int((await self.calls())["requests"])

    async def script(self, **orders: Any) -> None:
        (await self._client.post("/_script", json=orders)).raise_for_status()

    async def aclose(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def vendor_process() -> AsyncIterator[VendorProcess]:
    """Run a vendor in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.provider.server", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    vendor = VendorProcess(int(await process.stdout.readline()))
    try:
        yield vendor
    finally:
        await vendor.aclose()
        process.kill()
        await process.wait()
