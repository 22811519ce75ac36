"""Live step events: an interceptor that notes each step, and a writer that commits notes in groups."""

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, update
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.records.contracts import RowState, StepEvent, StepJournal, StepState
from activities.records.database import timestamp, upsert
from activities.records.tables import EventRow, StepRow, TaskRecord
from activities.telling import telling
from temporal.contract import StepRef
from temporal.names import ActivityName
from temporal.redaction import PROCESS

GROUP_SECONDS = 0.05
GROUP_EVENTS = 500
# What is done for the records alone is no step of a row.
_SILENT = frozenset(
    {ActivityName.RECORD_ROW, ActivityName.NOTIFY, ActivityName.OPEN_REVIEW, ActivityName.RECORD_REVIEW}
)
# Only these take long enough for anyone to see them begin; the first of a row tells that the row has begun.
_BEGIN_TOLD = frozenset({ActivityName.ADMIT, ActivityName.COMPLETE, ActivityName.JUDGE, ActivityName.EXECUTE})
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_STEPS = StepRow.__table__  # type: ignore[attr-defined]


class StepJournalInterceptor(Interceptor):
    """Notes the start and the end of every activity that performs a row's step."""

    def __init__(self, journal: StepJournal) -> None:
        self._journal = journal

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap an activity's execution."""
        return _NoteSteps(next, self._journal)


class _NoteSteps(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, journal: StepJournal) -> None:
        super().__init__(following)
        self._journal = journal

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 -- the SDK's signature
        step = getattr(input.args[0], "step", None) if input.args else None
        name = getattr(getattr(input.fn, "__temporal_activity_definition", None), "name", "")
        if not isinstance(step, StepRef) or name in _SILENT:
            return await self.next.execute_activity(input)

        def under_way(told: str = "") -> None:
            self._journal.note(StepEvent(step=step, state=StepState.RUNNING, at=timestamp(), message=told))

        if name in _BEGIN_TOLD:
            under_way()
        try:
            with telling(under_way):
                result = await self.next.execute_activity(input)
        except Exception as error:
            # What stands here did not pass the failures on their way to Temporal.
            message = PROCESS.redacted(str(error))
            self._journal.note(StepEvent(step=step, state=StepState.FAILED, at=timestamp(), message=message))
            raise
        self._journal.note(StepEvent(step=step, state=StepState.DONE, at=timestamp()))
        return result


class SqlStepJournal:
    """Writes step events to the records database, many in one transaction.

    Events are for those who watch: one that is lost to a crash is written again with the row's record.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[StepEvent] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, event: StepEvent) -> None:
        """Take an event; returns at once."""
        self._waiting.append(event)
        self._arrived.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write_groups())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._flush()

    async def _write_groups(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GROUP_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        self._arrived.clear()
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP_EVENTS], self._waiting[GROUP_EVENTS:]
            await asyncio.to_thread(self._write, group)

    def _write(self, group: list[StepEvent]) -> None:
        with self._engine.begin() as connection:
            self._write_steps(connection, group)
            connection.execute(
                upsert(self._engine, EventRow).on_conflict_do_nothing(), [_event(event) for event in group]
            )
            for event in group:
                if event.state is StepState.RUNNING and event.step.step == "policy":
                    _mark_running(connection, event)

    def _write_steps(self, connection: Connection, group: list[StepEvent]) -> None:
        started = upsert(self._engine, StepRow)
        # What is told of it meanwhile replaces what was told before; its end has the last word.
        started = started.on_conflict_do_update(
            index_elements=["run", "row", "attempt", "step", "ordinal"],
            set_={"summary": started.excluded.summary},
            where=(_STEPS.c.state == StepState.RUNNING.value) & (started.excluded.summary != ""),
        )
        ended = upsert(self._engine, StepRow)
        ended = ended.on_conflict_do_update(
            index_elements=["run", "row", "attempt", "step", "ordinal"],
            set_={
                "state": ended.excluded.state,
                "finished_at": ended.excluded.finished_at,
                "summary": ended.excluded.summary,
            },
            # The row's own record carries the detail; a late note must not blank it.
            where=_STEPS.c.state == StepState.RUNNING.value,
        )
        for statement, running in ((started, True), (ended, False)):
            values = [_step(event) for event in group if (event.state is StepState.RUNNING) is running]
            if values:
                connection.execute(statement, values)


def _mark_running(connection: Connection, event: StepEvent) -> None:
    connection.execute(
        update(_ROWS)
        .where(
            _ROWS.c.run == event.step.run,
            _ROWS.c.row == event.step.row,
            _ROWS.c.state == RowState.PENDING.value,
        )
        .values(state=RowState.RUNNING.value, started_at=event.at)
    )


def _step(event: StepEvent) -> dict[str, Any]:
    step = event.step
    return {
        "run": step.run,
        "row": step.row,
        "attempt": step.attempt,
        "step": step.step,
        "ordinal": step.ordinal,
        "state": event.state.value,
        "started_at": event.at,
        "finished_at": "" if event.state is StepState.RUNNING else event.at,
        "summary": event.message,
        "detail": {},
    }


def _event(event: StepEvent) -> dict[str, Any]:
    step = event.step
    return {
        "key": f"step/{step.key}/{step.attempt}/{event.state.value}/{event.at}",
        "run": step.run,
        "row": step.row,
        "kind": "step",
        "at": event.at,
        "body": {
            "step": step.step,
            "ordinal": step.ordinal,
            "attempt": step.attempt,
            "state": event.state.value,
            "message": event.message,
        },
    }
