"""The baseline: a bare Temporal workflow of seven no-op regular activities, as anybody would write it."""

import asyncio
import sys
from datetime import timedelta

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

QUEUE = "bare"
STEPS = 7


class Value(BaseModel):
    """What goes in and comes out."""

    text: str = ""


@activity.defn
async def nothing(value: Value) -> Value:
    """Do nothing."""
    return value


@workflow.defn
class BareWorkflow:
    """Seven activities in a row."""

    @workflow.run
    async def run(self, value: Value) -> Value:
        """Pass a value through them."""
        for _ in range(STEPS):
            value = await workflow.execute_activity(nothing, value, start_to_close_timeout=timedelta(seconds=10))
        return value


@workflow.defn
class BareReview:
    """Waits for one update, as anybody would write a review."""

    def __init__(self) -> None:
        self._decided = False

    @workflow.run
    async def run(self, value: Value) -> Value:
        """Wait until it is decided."""
        await workflow.wait_condition(lambda: self._decided)
        return value

    @workflow.update
    def decide(self, value: Value) -> Value:
        """Take the decision."""
        self._decided = True
        return value


async def main(target: str) -> None:
    """Serve the baseline."""
    client = await Client.connect(target, data_converter=pydantic_data_converter)
    worker = Worker(client, task_queue=QUEUE, workflows=[BareWorkflow, BareReview], activities=[nothing])
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
