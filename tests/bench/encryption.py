"""``python -m tests.bench.encryption [--rows 400]``: what encryption of Temporal's payloads costs a row.

Plain and encrypted take turns, each on a system of its own; what counts is the ratio of their means.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import mean

from tests.bench.__main__ import CONCURRENCY, catalog
from tests.bench.measure import cost, history
from tests.chaos.conftest import System
from tests.conftest import free_port
from tests.installation import Installation, Run
from tests.provider.process import VendorProcess, vendor_process
from workers.settings import Settings

TURNS = 3


async def turn(vendor: VendorProcess, home: Path, encryption: str, rows: int) -> tuple[float, int]:
    """Return processor milliseconds a row, and bytes of a row's history."""
    settings = Settings(
        home=home,
        temporal_port=free_port(),
        temporal_ui_port=free_port(),
        api_port=free_port(),
        model_url=vendor.url,
        model_name="stub",
        encryption="on" if encryption == "on" else "off",
    )
    system = System(settings, vendor)
    prism = Installation(home, await system.start(), lambda request: "")
    runs: list[Run] = []

    async def work() -> None:
        runs.append(await prism.start(catalog(rows), concurrency=CONCURRENCY))
        await runs[-1].result()

    try:
        await (await prism.start(catalog(20), concurrency=CONCURRENCY)).result()
        pids = {name: part.process.pid for name, part in system.parts.items() if part.process}
        figures = await cost(rows, pids, work)
        _, size = await history(runs[-1].row("row-0"))
        return figures.total, size
    finally:
        await system.stop()


async def main(rows: int) -> None:
    """Measure and print."""
    found: dict[str, list[tuple[float, int]]] = {"off": [], "on": []}
    async with vendor_process() as vendor:
        for _ in range(TURNS):
            for encryption, figures in found.items():
                with tempfile.TemporaryDirectory() as home:
                    figures.append(await turn(vendor, Path(home), encryption, rows))
    plain, encrypted = (mean(total for total, _ in figures) for figures in found.values())
    sizes = [figures[0][1] for figures in found.values()]
    lines = ["| encryption | rows | CPU ms/row | bytes of history |", "|---|---|---|---|"]
    lines += [f"| off | {TURNS} x {rows} | {plain:.1f} | {sizes[0]:,} |"]
    lines += [f"| on | {TURNS} x {rows} | {encrypted:.1f} | {sizes[1]:,} |"]
    lines += [f"| ratio | | {encrypted / plain:.2f} | {sizes[1] / sizes[0]:.2f} |"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400, help="rows of each turn")
    asyncio.run(main(parser.parse_args().rows))
