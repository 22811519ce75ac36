"""Heartbeats of activities that wait for something slow."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from temporalio import activity

Result = TypeVar("Result")

HEARTBEAT_SECONDS: Final = 3.0


async def beating(work: Awaitable[Result], meanwhile: Callable[[], None] | None = None) -> Result:
    """Await work and heartbeat meanwhile, so that a killed worker is noticed long before the timeout.

    Work shorter than the first interval sends no heartbeat: each is a write of the server. A heartbeat is also how
    the activity hears that it is cancelled; then the work is, and it has ended when this returns.

    Args:
        work: What the activity waits for.
        meanwhile: Called with each heartbeat.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS))[0]:
            activity.heartbeat()
            if meanwhile is not None:
                meanwhile()
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})
