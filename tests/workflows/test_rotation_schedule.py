"""The schedule of rotation on the real dev server: registered again and again, and it does its work."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
)

from activities.secrets.rotation import RotationReport
from temporal.names import ROTATION_SCHEDULE_ID
from tests.installation import Installation
from workers.schedules import register_schedules
from workers.secrets import open_secrets
from workflows.rotation import SecretRotationWorkflow

DEADLINE = 60


async def reached(schedule: ScheduleHandle, condition: Callable[[ScheduleDescription], bool]) -> ScheduleDescription:
    async with asyncio.timeout(DEADLINE):
        while not condition(found := await schedule.describe()):
            await asyncio.sleep(0.05)
        return found


async def test_the_schedule_is_registered_once_and_its_workflow_reports(dev_client: Client, tmp_path: Path) -> None:
    prism = Installation(tmp_path, dev_client, lambda request: "")
    # Another test's worker may have registered it, with a workflow that is long done.
    await asyncio.gather(register_schedules(dev_client), register_schedules(dev_client))
    schedule = dev_client.get_schedule_handle(ROTATION_SCHEDULE_ID)
    async with prism.worker():
        # A trigger is skipped while the run before goes on.
        idle = await reached(schedule, lambda found: found.info.num_actions >= 1 and not found.info.running_actions)
        before = idle.info
        await open_secrets(prism.settings).put("openai", {"value": SecretStr("sk-canary-of-schedule")})
        await schedule.trigger()
        found = await reached(schedule, lambda found: found.info.num_actions > before.num_actions)
        last = found.info.recent_actions[-1].action
        run = dev_client.get_workflow_handle_for(SecretRotationWorkflow.run, last.workflow_id)  # type: ignore[union-attr]
        assert await run.result() == RotationReport()
        history = await run.fetch_history()
    assert "canary" not in history.to_json()
    assert isinstance(found.schedule.action, ScheduleActionStartWorkflow)
    assert found.schedule.spec.intervals[0].every == timedelta(days=1)


async def test_a_schedule_that_was_paused_stays_so(dev_client: Client) -> None:
    await register_schedules(dev_client)
    schedule = dev_client.get_schedule_handle(ROTATION_SCHEDULE_ID)
    await schedule.pause(note="for the audit")
    try:
        await reached(schedule, lambda found: found.schedule.state.paused)
        await schedule.update(lambda found: ScheduleUpdate(every_hour(found.description.schedule)))
        await register_schedules(dev_client)
        found = await reached(schedule, lambda found: found.schedule.spec.intervals[0].every == timedelta(days=1))
        assert (found.schedule.state.paused, found.schedule.state.note) == (True, "for the audit")
        await register_schedules(dev_client)
        assert (await schedule.describe()).info.last_updated_at == found.info.last_updated_at
    finally:
        await schedule.unpause()


def every_hour(schedule: Schedule) -> Schedule:
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])
    return dataclasses.replace(schedule, spec=spec)
