"""What Temporal starts by the calendar. Registering is repeated at each start of a worker, and changes nothing then."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
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
from temporalio.service import RPCError

from activities.feedback.activity import CollectRequest
from activities.reflections.contracts import ReflectRequest
from activities.scans.folder_activity import FolderScanRequest
from activities.secrets.rotation import RotationRequest
from temporal.names import REFLECTION_SCHEDULES, ROTATION_SCHEDULE_ID, SCAN_SCHEDULES, TRAINING_SCHEDULE_ID, TaskQueue
from workflows.contracts import ReflectionRun
from workflows.reflection import ReflectionWorkflow
from workflows.rotation import SecretRotationWorkflow
from workflows.scanning import FolderScanWorkflow
from workflows.training import TrainingDataWorkflow

# Ages count in days. What was missed while nothing ran is made up for once.
_DAILY: Final = timedelta(days=1)


async def register_schedules(client: Client) -> None:
    """Make the schedules, or bring those that are there up to date; one that somebody paused stays so."""
    await _register(client, ROTATION_SCHEDULE_ID, _rotation())


async def register_scans(client: Client, folders: Sequence[str], hours: int) -> None:
    """Have folders scanned every so many hours, and those no more that are not named any longer.

    Args:
        client: Of the Temporal server.
        folders: Which; absolute.
        hours: How often; 0 never.
    """
    wanted = {scan_schedule_id(folder): _scan(folder, hours) for folder in folders} if hours else {}
    await _register_all(client, SCAN_SCHEDULES, wanted)


async def register_reflections(client: Client, agents: Sequence[str]) -> None:
    """Have agents reflected on once a day, where there is enough that is new, and no others."""
    await _register_all(client, REFLECTION_SCHEDULES, {REFLECTION_SCHEDULES + one: _reflection(one) for one in agents})


async def register_training(client: Client, *, wanted: bool) -> None:
    """Have a data set made whenever enough new preference pairs are there; looked for once a day.

    Args:
        client: Of the Temporal server.
        wanted: Whether data sets are wanted at all; how many pairs make one is the worker's setting.
    """
    if wanted:
        await _register(client, TRAINING_SCHEDULE_ID, _training())
        return
    # There is none, or another worker was quicker.
    with contextlib.suppress(RPCError):
        await client.get_schedule_handle(TRAINING_SCHEDULE_ID).delete()


def scan_schedule_id(folder: str) -> str:
    """Return the id of the schedule that scans a folder."""
    return SCAN_SCHEDULES + hashlib.sha256(folder.encode()).hexdigest()[:12]


async def _register_all(client: Client, beginning: str, wanted: Mapping[str, Schedule]) -> None:
    """Make schedules whose ids begin alike, and take away the others that do."""
    async for there in await client.list_schedules():
        if there.id.startswith(beginning) and there.id not in wanted:
            with contextlib.suppress(RPCError):  # another worker was quicker
                await client.get_schedule_handle(there.id).delete()
    for name, schedule in wanted.items():
        await _register(client, name, schedule)


async def _register(client: Client, name: str, wanted: Schedule) -> None:
    try:
        await client.create_schedule(name, wanted, trigger_immediately=True)
    except ScheduleAlreadyRunningError:

        def renewed(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
            there = found.description.schedule
            # What changes nothing is not written: somebody may just be pausing it.
            if _told(there) == _told(wanted):
                return None
            return ScheduleUpdate(dataclasses.replace(wanted, state=there.state))

        await client.get_schedule_handle(name).update(renewed)


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


def _training() -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            TrainingDataWorkflow.run,
            CollectRequest(),
            id=TRAINING_SCHEDULE_ID,
            task_queue=TaskQueue.WORKFLOWS,
            static_summary="preference pairs",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_DAILY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_DAILY),
    )


def _reflection(agent: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReflectionWorkflow.run,
            ReflectionRun(reflect=ReflectRequest(agent=agent)),
            id=REFLECTION_SCHEDULES + agent,
            task_queue=TaskQueue.WORKFLOWS,
            static_summary=f"reflection on {agent}",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_DAILY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_DAILY),
    )


def _scan(folder: str, hours: int) -> Schedule:
    every = timedelta(hours=hours)
    return Schedule(
        action=ScheduleActionStartWorkflow(
            FolderScanWorkflow.run,
            FolderScanRequest(folder=folder),
            id=scan_schedule_id(folder),
            task_queue=TaskQueue.WORKFLOWS,
            static_summary=f"scan {folder}",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
