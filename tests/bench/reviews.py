"""``python -m tests.bench.reviews [--reviews 500]``: what reviews that wait cost, and how soon a decision arrives.

Waiting is compared with the same system when nothing waits, a decision with an update of a bare workflow on the same
server in the same run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from activities.reviews.contracts import ReviewDecision
from tests.api.http.serving import serving
from tests.bench.bare import QUEUE, BareReview, Value
from tests.bench.measure import percentile, processor
from tests.chaos.conftest import System
from tests.conftest import free_port
from tests.installation import Installation, Run
from tests.provider.process import vendor_process
from workers.settings import Settings
from workflows.row import RowWorkflow

QUIET_SECONDS = 20
DECISIONS = 60
RESULTS = Path(__file__).with_name("reviews.json")


async def main(reviews: int) -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        async with vendor_process() as vendor:
            ports: dict[str, Any] = {name: free_port() for name in ("temporal_port", "temporal_ui_port", "api_port")}
            settings = Settings(home=Path(folder), model_url=vendor.url, model_name="stub", **ports)
            system = System(settings, vendor)
            client = await system.start()
            bare = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.bare", settings.temporal.target
            )
            try:
                prism = Installation(Path(folder), client, lambda request: "")
                figures = await measured(system, prism, reviews)
            finally:
                bare.kill()
                await bare.wait()
                await system.stop()
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(report(figures))


async def measured(system: System, prism: Installation, reviews: int) -> dict[str, Any]:
    """Return every figure."""
    warm = await waiting(prism, 1)
    await decide(warm, 0)
    await warm.result()
    # Whatever start-up still does is over by then.
    await quiet(system)
    nothing = await quiet(system)
    run = await waiting(prism, reviews)
    await quiet(system)
    before = await events(run, reviews)
    waited = await quiet(system)
    after = await events(run, reviews)
    updates = [await timed(lambda n=n: decide(run, n)) for n in range(DECISIONS)]  # type: ignore[misc]
    with serving(prism.settings.model_copy(update={"temporal_address": system.settings.temporal.target})) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            numbers = range(DECISIONS, 2 * DECISIONS)
            requests = [await timed(lambda n=n: post(http, run, n)) for n in numbers]  # type: ignore[misc]
    bare = [await bare_decision(prism) for _ in range(DECISIONS)]
    return {
        "reviews": reviews,
        "worker_cpu_percent": {"nothing waits": nothing, "reviews wait": waited},
        "events_while_waiting": after - before,
        "decision_ms": {
            name: [percentile(sorted(values), 0.5), percentile(sorted(values), 0.99)]
            for name, values in (("bare update", bare), ("update", updates), ("HTTP", requests))
        },
    }


async def waiting(prism: Installation, rows: int) -> Run:
    """Return a run whose rows all wait for a person."""
    catalog = "id,objective,review\n" + "".join(f"row-{n},Say hello,required\n" for n in range(rows))
    run = await prism.start(catalog, concurrency=rows)
    statement = "SELECT COUNT(*) AS number FROM reviews WHERE run = :run"
    while prism.query(statement, run=run.run)[0]["number"] < rows:
        await asyncio.sleep(0.2)
    return run


async def quiet(system: System) -> float:
    """Return the processor time of the worker over a while, in percent of one core."""
    process = system.parts["worker"].process
    assert process is not None
    before = processor(process.pid)
    await asyncio.sleep(QUIET_SECONDS)
    return (processor(process.pid) - before) * 100 / QUIET_SECONDS


async def events(run: Run, rows: int) -> int:
    """Return how many events all rows' histories hold."""
    described = [await run.row(f"row-{n}").describe() for n in range(rows)]
    return sum(one.history_length for one in described)


async def decide(run: Run, number: int) -> None:
    """Decide by update."""
    await run.row(f"row-{number}").execute_update(RowWorkflow.decide, ReviewDecision(by="ana"))


async def post(http: httpx.AsyncClient, run: Run, number: int) -> None:
    """Decide over HTTP."""
    answer = await http.post(f"/api/v1/runs/{run.run}/rows/row-{number}/approve", json={"by": "ana"})
    answer.raise_for_status()


async def bare_decision(prism: Installation) -> float:
    """Return how long an update of a bare workflow takes."""
    handle = await prism.client.start_workflow(BareReview.run, Value(), id=f"bare-{uuid.uuid4().hex}", task_queue=QUEUE)
    await asyncio.sleep(0.1)
    return await timed(lambda: handle.execute_update(BareReview.decide, Value()))


async def timed(work: Any) -> float:
    """Return how long something takes, in milliseconds, on a system that is otherwise idle."""
    await asyncio.sleep(0.15)
    started = time.monotonic()
    await work()
    return (time.monotonic() - started) * 1000


def report(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    cpu, decisions = figures["worker_cpu_percent"], figures["decision_ms"]
    base = decisions["bare update"][0]
    lines = ["| a decision by | p50 ms | p99 ms | ratio to bare |", "|---|---|---|---|"]
    lines += [f"| {name} | {p50:.0f} | {p99:.0f} | {p50 / base:.2f} |" for name, (p50, p99) in decisions.items()]
    lines.append("")
    lines.append(
        f"While {figures['reviews']:,} reviews wait, their histories grow by {figures['events_while_waiting']} events "
        f"and the worker takes {cpu['reviews wait']:.1f} % of a core; when nothing waits, {cpu['nothing waits']:.1f} %."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=500)
    asyncio.run(main(parser.parse_args().reviews))
