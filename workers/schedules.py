"""What Temporal starts by the calendar. Registering is repeated at each start of a worker, and changes nothing then."""

import dataclasses
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.secrets.rotation import RotationRequest
from temporal.names import ROTATION_SCHEDULE_ID, TaskQueue
from workflows.rotation import SecretRotationWorkflow

# Ages count in days. What was missed while nothing ran is made up for once.
_DAILY: Final = timedelta(days=1)


async def register_schedules(client: Client) -> None:
    """Make the schedules, or bring those that are there up to date; one that somebody paused stays so."""
    wanted = _rotation()
    try:
        await client.create_schedule(ROTATION_SCHEDULE_ID, wanted, trigger_immediately=True)
    except ScheduleAlreadyRunningError:

        def renewed(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
            there = found.description.schedule
            # What changes nothing is not written: somebody may just be pausing it.
            if _told(there) == _told(wanted):
                return None
            return ScheduleUpdate(dataclasses.replace(wanted, state=there.state))

        await client.get_schedule_handle(ROTATION_SCHEDULE_ID).update(renewed)


def _told(schedule: Schedule) -> tuple[object, ...]:
    action = schedule.action
    started = (action.workflow, action.id, action.task_queue) if isinstance(action, ScheduleActionStartWorkflow) else ()
    return started, tuple(schedule.spec.intervals), schedule.policy


def _rotation() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SecretRotationWorkflow.run, RotationRequest(), id=ROTATION_SCHEDULE_ID, task_queue=TaskQueue.WORKFLOWS
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_DAILY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_DAILY),
    )
