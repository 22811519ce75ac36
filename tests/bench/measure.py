"""What is measured: processor time and memory of processes, latencies, histories."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psutil
from temporalio.client import WorkflowHandle


@dataclass
class Cost:
    """What a number of rows cost.

    Args:
        cpu: Processor milliseconds per row, by process.
        memory: Resident memory in MB at the end, by process.
    """

    rows: int
    rows_per_second: float
    cpu: dict[str, float]
    memory: dict[str, float]

    @property
    def total(self) -> float:
        """Processor milliseconds per row of all processes."""
        return sum(self.cpu.values())


def processor(pid: int) -> float:
    """Return the processor seconds of a process and its children, living and dead."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
            seconds += times.user + times.system
        except psutil.Error:
            continue
    return float(seconds)


def memory(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    return float(psutil.Process(pid).memory_info().rss / 1e6)


async def cost(rows: int, pids: dict[str, int], work: Callable[[], Awaitable[object]]) -> Cost:
    """Do the work and return what it cost."""
    before = {name: processor(pid) for name, pid in pids.items()}
    started = time.monotonic()
    await work()
    seconds = time.monotonic() - started
    spent = {name: (processor(pid) - before[name]) * 1000 / rows for name, pid in pids.items()}
    return Cost(rows, rows / seconds, spent, {name: memory(pid) for name, pid in pids.items()})


async def latencies(count: int, once: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the sorted latencies of something done alone, in milliseconds."""
    found = []
    for _ in range(count):
        started = time.monotonic()
        await once()
        found.append((time.monotonic() - started) * 1000)
        await asyncio.sleep(0.05)  # lets the server settle: an idle system is measured
    return sorted(found)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))]


async def history(handle: "WorkflowHandle[object, object]") -> tuple[int, int]:
    """Return the number of events and bytes of a workflow's history."""
    events = (await handle.fetch_history()).events
    return len(events), sum(event.ByteSize() for event in events)
