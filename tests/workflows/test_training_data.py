"""Data sets of preference pairs on the real dev server: an edit in a review becomes a line of one."""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.artifacts.contracts import Text
from activities.feedback.activity import Collected, CollectRequest
from activities.feedback.datasets import SqlDatasetRegister
from activities.records.contracts import RowState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from temporal.names import TRAINING_SCHEDULE_ID, TaskQueue
from tests.installation import Installation
from workers.schedules import register_training
from workers.settings import Settings
from workflows.row import RowWorkflow
from workflows.training import TrainingDataWorkflow


async def test_enough_new_pairs_become_one_data_set_that_administrators_are_told_of(
    dev_client: Client, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, pairs_wanted=1)
    prism = Installation.with_settings(settings, dev_client, lambda request: "The model's text.")

    async def collected(number: int) -> Collected:
        identity = f"feedback/{tmp_path.name}/{number}"
        return await dev_client.execute_workflow(
            TrainingDataWorkflow.run, CollectRequest(), id=identity, task_queue=TaskQueue.WORKFLOWS
        )

    async with prism.worker():
        assert await collected(1) == Collected(new=0)
        run = await prism.start("id,objective,review,agent\na,Say it.,required,writer\n")
        await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
        edit = ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value("Ana's text."), comment="shorter")
        await run.row("a").execute_update(RowWorkflow.decide, edit)
        await run.result()
        made = await collected(2)
        again = await collected(3)
    assert (made.new, again) == (1, Collected(new=0))
    assert made.dataset is not None
    line = json.loads(await prism.stores.artifacts.get(made.dataset.digest))
    told = [line[name] for name in ("chosen", "rejected", "source", "by", "why", "agent", "model")]
    assert told == ["Ana's text.", "The model's text.", "edit", "ana", "shorter", "writer", "test/model"]
    assert "Say it." in line["prompt"]
    assert await SqlDatasetRegister(prism.stores.engine).datasets() == [made.dataset]
    sent = prism.query("SELECT recipient, title FROM notifications WHERE run = 'feedback'")
    assert sent == [{"recipient": "role:admin", "title": "A data set of 1 preference pairs is ready"}]


async def test_the_schedule_is_there_only_where_data_sets_are_wanted(dev_client: Client) -> None:
    schedule = dev_client.get_schedule_handle(TRAINING_SCHEDULE_ID)
    await asyncio.gather(register_training(dev_client, wanted=True), register_training(dev_client, wanted=True))
    assert (await schedule.describe()).schedule.spec.intervals[0].every.days == 1
    await register_training(dev_client, wanted=False)
    with pytest.raises(RPCError, match="not found"):
        await schedule.describe()
