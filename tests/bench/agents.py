"""``python -m tests.bench.agents [--delay 1.5]``: what it gains that agents work side by side.

The sample catalog of teams runs against a vendor that takes the same time over every answer, beside the same number of
the same calls made one by one: a row a call, one row at a time, on the same system in the same run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import catalogs
from tests.bench.measure import processor
from tests.chaos.conftest import System
from tests.conftest import free_port
from tests.installation import Installation
from tests.provider.process import VendorProcess, vendor_process
from workers.settings import Settings

SAMPLE = Path(catalogs.__file__).parent / "samples" / "agents.csv"
RESULTS = Path(__file__).with_name("agents.json")
# What the vendor says where the form of an answer matters; the rest is any text.
ANSWERS = {
    "Write the list of its parts": "arrival\nhardware\naccounts\npeople\nsafety\n",
    "Reply with one line: BEST": "BEST: 2",
    "Answer yes or no": "Yes.",
}
TOGETHER, SIDE_BY_SIDE, ONE_BY_ONE = "as it is", "rows one by one", "calls one by one"


async def main(delay: float) -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with vendor_process() as vendor:
            await vendor.script(answers=ANSWERS)
            ports: dict[str, Any] = {name: free_port() for name in ("temporal_port", "temporal_ui_port", "api_port")}
            settings = Settings(home=Path(folder), model_url=vendor.url, model_name="stub", **ports)
            system = System(settings, vendor)
            client = await system.start()
            try:
                figures = await measured(system, vendor, Installation(Path(folder), client, lambda request: ""), delay)
            finally:
                await system.stop()
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(report(figures))


async def measured(system: System, vendor: VendorProcess, prism: Installation, delay: float) -> dict[str, Any]:
    """Return seconds, processor seconds and calls of each way to do the work."""
    sample = SAMPLE.read_text()
    await timed(system, vendor, prism, sample, 16)  # imports and caches are warm from here on
    await vendor.script(delay=delay)
    found = {
        TOGETHER: await timed(system, vendor, prism, sample, 16),
        SIDE_BY_SIDE: await timed(system, vendor, prism, sample, 1),
    }
    calls = int(found[TOGETHER]["calls"])
    rows = "".join(f"call-{n},Do one part of the work of a team,min_words:1\n" for n in range(calls))
    found[ONE_BY_ONE] = await timed(system, vendor, prism, "id,objective,verification\n" + rows, 1)
    return {"delay": delay, "ways": found}


async def timed(
    system: System, vendor: VendorProcess, prism: Installation, catalog: str, concurrency: int
) -> dict[str, float]:
    """Run a catalog and return what it took."""
    pids = [part.process.pid for part in system.parts.values() if part.process]
    asked = await vendor.requests()
    began, spent = time.monotonic(), sum(map(processor, pids))
    result = await (await prism.start(catalog, concurrency=concurrency)).result()
    seconds, cpu = time.monotonic() - began, sum(map(processor, pids)) - spent
    if set(result.counts) != {"succeeded"}:
        raise RuntimeError(f"not every row succeeded: {result.counts}")
    return {"seconds": seconds, "cpu_seconds": cpu, "calls": await vendor.requests() - asked}


def report(figures: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    ways = figures["ways"]
    base = ways[ONE_BY_ONE]
    lines = ["| work | calls | wall time | against one by one | processor time |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {way['calls']:.0f} | {way['seconds']:.1f} s | {way['seconds'] / base['seconds']:.2f} "
        f"| {way['cpu_seconds']:.1f} s ({way['cpu_seconds'] / base['cpu_seconds']:.2f}) |"
        for name, way in ways.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=1.5, help="seconds the vendor takes over an answer")
    asyncio.run(main(parser.parse_args().delay))
