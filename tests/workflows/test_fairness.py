"""One huge catalog cannot starve a small one: both wait for the few model calls there may be at a time."""

import asyncio
from pathlib import Path

from temporalio.client import Client

from activities.llm.contracts import ModelAnswer, ModelRequest
from temporal.names import TaskQueue
from temporal.task_queues import queue_states
from tests.installation import DEADLINE, Installation, ScriptedModel
from workers.settings import Settings

MANY, FEW = 30, 3


class Turnstile(ScriptedModel):
    """Answers nobody before it is opened."""

    def open(self) -> None:
        self._opened.set()

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        await self._opened.wait()
        return await super().complete(request)

    _opened = asyncio.Event()


def catalog(rows: int) -> str:
    return "id,objective\n" + "".join(f"r{number},Say {number}\n" for number in range(rows))


async def until_wait(client: Client, calls: int) -> None:
    """Wait until so many model calls wait at the server."""
    async with asyncio.timeout(DEADLINE):
        while True:
            (model,) = [state for state in await queue_states(client) if state.queue == TaskQueue.MODEL]
            if model.backlog >= calls:
                return
            await asyncio.sleep(0.2)


async def test_a_small_run_that_comes_late_has_its_turn_between_the_rows_of_a_large_one(
    tmp_path: Path, dev_client: Client
) -> None:
    prism = Installation.with_settings(Settings(home=tmp_path, model_slots=1), dev_client, lambda request: "Done.")
    model = prism.model = Turnstile(prism.stores, prism.model.answer)
    async with prism.worker():
        large = await prism.start(catalog(MANY), concurrency=MANY)
        await until_wait(dev_client, MANY - 5)
        small = await prism.start(catalog(FEW), concurrency=FEW)
        await until_wait(dev_client, MANY - 5 + FEW)
        model.open()
        await small.result()
        order = [request.step.run for request in model.requests]
        await large.result()
    # In the order of arrival it would come last of all.
    assert max(place for place, run in enumerate(order) if run == small.run) < MANY * 3 / 4
