"""``python -m tests.bench.router [--calls 1280]``: what the way through the gateway costs against asking the provider.

The same vendor on this machine answers both after a fixed time, at 1, 16 and 64 calls at a time: by the gateway
(socket, ledger, budget, routing, litellm) and by the provider's own URL with httpx.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx

from activities.artifacts.contracts import Text, digest_of
from activities.llm.contracts import ModelRequest
from activities.llm.gateway_client import GatewayCompletion
from temporal.contract import StepRef
from tests.activities.llm.conftest import GatewayProcess
from tests.bench.measure import percentile, processor
from tests.provider.process import VendorProcess, vendor_process

AT_A_TIME = (1, 16, 64)
ANSWER_SECONDS = 0.2
PROMPT = "Say hello in one word."
RESULTS = Path(__file__).with_name("router.json")


async def main(calls: int) -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with vendor_process() as vendor:
            await vendor.script(delay=ANSWER_SECONDS)
            gateway = GatewayProcess(Path(folder), vendor)
            await gateway.start()
            try:
                figures = [await compared(gateway, vendor, calls, number) for number in AT_A_TIME]
            finally:
                await gateway.kill()
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(report(figures))


async def compared(gateway: GatewayProcess, vendor: VendorProcess, calls: int, at_a_time: int) -> dict[str, Any]:
    """Return the figures of so many calls at a time, both ways."""
    assert gateway.process
    number = max(calls * at_a_time // max(AT_A_TIME), 10 * at_a_time)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=httpx.Limits(max_connections=at_a_time)) as client:
        await timed(lambda: direct(client, vendor.url), at_a_time, at_a_time)
        plain = await timed(lambda: direct(client, vendor.url), number, at_a_time)
    async with aclosing(gateway.client()) as way:
        await timed(lambda: routed(way), at_a_time, at_a_time)
        before = processor(gateway.process.pid)
        through = await timed(lambda: routed(way), number, at_a_time)
        spent = (processor(gateway.process.pid) - before) * 1000 / number
    return {"at_a_time": at_a_time, "calls": number, "direct": plain, "gateway": through, "gateway_cpu_ms": spent}


async def timed(call: Callable[[], Awaitable[object]], number: int, at_a_time: int) -> dict[str, float]:
    """Return p50 and p99 of a call in milliseconds, and calls a second."""
    turns, took = iter(range(number)), []

    async def caller() -> None:
        for _ in turns:
            began = time.monotonic()
            await call()
            took.append((time.monotonic() - began) * 1000)

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(at_a_time)))
    seconds = time.monotonic() - started
    took.sort()
    return {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "calls_per_second": number / seconds}


async def direct(client: httpx.AsyncClient, url: str) -> None:
    """Ask the provider."""
    body = {"model": "stub", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 512}
    (await client.post(f"{url}/chat/completions", json=body)).raise_for_status()


async def routed(way: GatewayCompletion) -> None:
    """Ask the gateway."""
    text = Text(digest=digest_of(PROMPT.encode()), size=len(PROMPT), inline=PROMPT)
    await way.complete(ModelRequest(step=StepRef(run="bench", row=uuid.uuid4().hex, step="model"), prompt=text))


def report(figures: list[dict[str, Any]]) -> str:
    """Return the figures as a table."""
    lines = [
        "at a time  direct p50  gateway p50  more by  ratio  p99 direct, gateway  calls/s direct, gateway  CPU a call"
    ]
    for one in figures:
        plain, through = one["direct"], one["gateway"]
        lines.append(
            f"{one['at_a_time']:>9}  {plain['p50']:>7.0f} ms  {through['p50']:>8.0f} ms  "
            f"{through['p50'] - plain['p50']:>4.0f} ms  {through['p50'] / plain['p50']:>5.2f}  "
            f"{plain['p99']:>7.0f}, {through['p99']:>6.0f} ms  "
            f"{plain['calls_per_second']:>11.0f}, {through['calls_per_second']:>7.0f}  {one['gateway_cpu_ms']:>7.1f} ms"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1280)
    asyncio.run(main(parser.parse_args().calls))
