"""``python -m tests.bench [--rows 1000 10000]``: a Prism row with all its steps against a bare workflow.

Both run on the same dev server in the same run; what counts are the ratios.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import uuid
from pathlib import Path

from temporal.names import TaskQueue
from tests.bench.bare import QUEUE, BareWorkflow, Value
from tests.bench.measure import Cost, cost, history, latencies, percentile
from tests.chaos.conftest import System
from tests.conftest import free_port
from tests.installation import Installation, Run
from tests.provider.process import vendor_process
from workers.settings import Settings
from workflows.contracts import ROW_REVISION, RowRun
from workflows.row import RowWorkflow

CONCURRENCY = 32
LATENCIES = 40
BARE_ROWS = 500
RESULTS = Path(__file__).with_name("results.json")


def catalog(rows: int) -> str:
    """Return a catalog whose rows pass every step but sandbox and review."""
    return "id,objective,verification\n" + "".join(f"row-{n},Say hello,max_words:500\n" for n in range(rows))


class Bench:
    """Both sides on one server."""

    def __init__(self, system: System, prism: Installation, bare_pid: int) -> None:
        self.system = system
        self.prism = prism
        self._bare_pid = bare_pid

    @property
    def pids(self) -> dict[str, int]:
        """Return Prism's processes."""
        return {name: part.process.pid for name, part in self.system.parts.items() if part.process}

    async def bare(self) -> None:
        """Run one bare workflow."""
        identity = f"bare-{uuid.uuid4().hex}"
        await self.prism.client.execute_workflow(BareWorkflow.run, Value(text="x"), id=identity, task_queue=QUEUE)

    async def bare_cost(self, rows: int) -> Cost:
        """Run many bare workflows, as many at once as Prism runs rows."""
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one() -> None:
            async with slots:
                await self.bare()

        async def work() -> None:
            await asyncio.gather(*(one() for _ in range(rows)))

        return await cost(rows, {"temporal": self.pids["temporal"], "worker": self._bare_pid}, work)

    async def prism_cost(self, rows: int) -> tuple[Cost, Run]:
        """Run a catalog."""
        run: list[Run] = []

        async def work() -> None:
            run.append(await self.prism.start(catalog(rows), concurrency=CONCURRENCY))
            await run[0].result()

        return await cost(rows, self.pids, work), run[0]

    async def row(self, template: Run) -> None:
        """Run one row's workflow by itself, on the plan of a run that there is."""
        plan = self.prism.query("SELECT plan FROM runs WHERE run = :run", run=template.run)[0]["plan"]
        name = uuid.uuid4().hex
        request = RowRun(run=name, plan=plan, index=0, row="row-0", revision=ROW_REVISION)
        await self.prism.client.execute_workflow(
            RowWorkflow.run, request, id=f"catalog/{name}/row/row-0", task_queue=TaskQueue.WORKFLOWS
        )


async def main(sizes: list[int]) -> None:
    """Measure and print a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
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
            baseline = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.bare", settings.temporal.target
            )
            try:
                bench = Bench(system, Installation(home, client, lambda request: ""), baseline.pid)
                report(await measured(bench, sizes))
            finally:
                baseline.kill()
                await baseline.wait()
                await system.stop()


async def measured(bench: Bench, sizes: list[int]) -> dict[str, object]:
    """Return every figure."""
    _, warm = await bench.prism_cost(20)
    await bench.bare_cost(20)
    bare_latency = await latencies(LATENCIES, bench.bare)
    row_latency = await latencies(LATENCIES, lambda: bench.row(warm))
    bare = await bench.bare_cost(BARE_ROWS)
    identity = f"bare-{uuid.uuid4().hex}"
    handle = await bench.prism.client.start_workflow(BareWorkflow.run, Value(), id=identity, task_queue=QUEUE)
    await handle.result()
    prism = []
    run = warm
    for size in sizes:
        figures, run = await bench.prism_cost(size)
        prism.append(figures)
    return {
        "bare": vars(bare) | {"total": bare.total},
        "prism": [vars(one) | {"total": one.total} for one in prism],
        "latency_ms": {
            "bare": [percentile(bare_latency, 0.5), percentile(bare_latency, 0.99)],
            "prism": [percentile(row_latency, 0.5), percentile(row_latency, 0.99)],
        },
        "history": {
            "bare": await history(handle),
            "row": await history(run.row("row-0")),
            "run_last_execution": await history(run.handle),
        },
    }


def report(figures: dict[str, object]) -> None:
    """Print the figures as Markdown and keep them as JSON."""
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    bare, latency, histories = figures["bare"], figures["latency_ms"], figures["history"]
    assert isinstance(bare, dict)
    assert isinstance(latency, dict)
    assert isinstance(histories, dict)
    lines = ["| | rows | rows/s | CPU ms/row | of it | ratio to bare |", "|---|---|---|---|---|---|"]
    lines.append(_line("bare", bare, bare))
    prism = figures["prism"]
    assert isinstance(prism, list)
    lines += [_line("Prism row", one, bare) for one in prism]
    lines += ["", "| | p50 ms | p99 ms | events | bytes |", "|---|---|---|---|---|"]
    for name, key in (("bare", "bare"), ("Prism row", "row")):
        middle, high = latency["bare" if key == "bare" else "prism"]
        events, size = histories[key]
        lines.append(f"| {name} | {middle:.0f} | {high:.0f} | {events} | {size:,} |")
    ratio = latency["prism"][0] / latency["bare"][0]
    lines += ["", f"Idle latency of a Prism row: {ratio:.2f} of the bare workflow's."]
    for one in prism:
        told = ", ".join(f"{name} {size:.0f} MB" for name, size in one["memory"].items())
        lines.append(f"Memory after {one['rows']:,} rows: {told}.")
    sys.stdout.write("\n".join(lines) + "\n")


def _line(name: str, figures: dict[str, object], bare: dict[str, object]) -> str:
    cpu, total, base = figures["cpu"], figures["total"], bare["total"]
    assert isinstance(cpu, dict)
    assert isinstance(total, float)
    assert isinstance(base, float)
    parts = ", ".join(f"{part} {value:.0f}" for part, value in cpu.items())
    rows, rate = figures["rows"], figures["rows_per_second"]
    return f"| {name} | {rows:,} | {rate:.1f} | {total:.0f} | {parts} | {total / base:.2f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000], help="catalog sizes to measure")
    asyncio.run(main(parser.parse_args().rows))
