"""CatalogWorkflow: starts the rows of a plan in order, as many at once as allowed, until all have ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.plans.activity import PlanActivities
    from activities.plans.contracts import LocateRequest, PageRequest, RowHead
    from activities.records.contracts import RowState, RunState
    from temporal import search_attributes
    from temporal.contract import row_workflow_id
    from temporal.names import ErrorCode, WorkflowName
    from workflows.children import RowHandle, start_row
    from workflows.contracts import (
        Carried,
        CatalogRun,
        Concurrency,
        Detach,
        Operator,
        RowResult,
        RowSelection,
        RowsOffer,
        RunProgress,
        RunResult,
        Steered,
    )
    from workflows.endings import despite_cancellation
    from workflows.growth import take_in
    from workflows.recording import RunRecording
    from workflows.row import RowWorkflow
    from workflows.schedule import Schedule
    from workflows.timeouts import QUICK_CHECK


HEARS_EARLY_RETRIES: Final = 2
TELLS_OF_STEERING: Final = 2
# What a signal without input says; without it such a signal would stop the run.
NOBODY: Final = Operator()
EVERY_ROW: Final = RowSelection()


@workflow.defn(name=WorkflowName.CATALOG)
class CatalogWorkflow:
    """Owns the order of rows: dependencies, concurrency, pause, retry, skip, continue-as-new."""

    @workflow.init
    def __init__(self, request: CatalogRun) -> None:
        self._request = request
        self._schedule = Schedule(request.total, request.page_rows)
        self._state = RunState.RUNNING
        self._concurrency = request.options.concurrency
        self._recording = RunRecording(request, self._schedule, 0)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._handles: dict[int, RowHandle] = {}
        self._orders: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._reported: list[RowResult] = []
        self._offers: list[RowsOffer] = []
        self._woken = True
        self._cancelled = False
        if request.carried is not None:
            self._restore(request.carried)

    def _restore(self, carried: Carried) -> None:
        self._schedule = Schedule.restored(self._request.total, self._request.page_rows, carried)
        self._state = RunState.PAUSED if carried.paused else RunState.RUNNING
        self._concurrency = carried.concurrency
        self._recording = RunRecording(self._request, self._schedule, carried.sequence)
        self._offers = list(carried.offers)

    @workflow.run
    async def run(self, request: CatalogRun) -> RunResult:
        """Run every row of the plan.

        Raises:
            ApplicationError: Some rows did not succeed; the detail is the RunResult.
        """
        result = await self._ended(self._open(request))
        while request.revision and self._orders and not self._cancelled:
            # Asked for while the end was being sealed: it counts as if it had come before.
            result = await self._ended(self._change(self._state))
        if result.state is RunState.CANCELLED:
            raise asyncio.CancelledError
        if result.state is RunState.COMPLETED_WITH_FAILURES:
            raise ApplicationError(_told(result), result, type=ErrorCode.ROWS_FAILED, non_retryable=True)
        return result

    @workflow.signal
    def pause(self, operator: Operator = NOBODY) -> None:
        """Start no further row; rows under way go on."""
        self._steer("pause", operator, lambda: self._enter(RunState.PAUSED))

    @workflow.signal
    def resume(self, operator: Operator = NOBODY) -> None:
        """Start rows again."""
        self._steer("resume", operator, lambda: self._enter(RunState.RUNNING))

    @workflow.signal
    def set_concurrency(self, concurrency: Concurrency) -> None:
        """Change how many rows are under way at once; rows under way go on."""
        self._concurrency = concurrency.limit
        self._steer("set_concurrency", concurrency, lambda: self._change(self._state))

    @workflow.signal
    def retry(self, selection: RowSelection = EVERY_ROW) -> None:
        """Run rows again that ended without success, and the rows they blocked."""
        self._steer("retry", selection, lambda: self._retry(selection))

    @workflow.signal
    def skip(self, selection: RowSelection = EVERY_ROW) -> None:
        """End rows that were not started; rows that depend on them are blocked."""
        self._steer("skip", selection, lambda: self._skip(selection))

    @workflow.signal
    def row_finished(self, result: RowResult) -> None:
        """Take the end of a row that was started before this run continued as new."""
        self._reported.append(result)
        self._woken = True

    @workflow.signal
    def rows_proposed(self, offer: RowsOffer) -> None:
        """Take in approved rows that a row of this run has planned; it waits for the answer."""
        self._offers.append(offer)
        self._woken = True

    @workflow.query
    def progress(self) -> RunProgress:
        """Return the run's state and how many rows are in which."""
        return RunProgress(
            state=self._state,
            counts=self._counts(),
            concurrency=self._concurrency,
            running=tuple(head.id for head in self._schedule.running.values()),
        )

    async def _ended(self, opening: Coroutine[Any, Any, None]) -> RunResult:
        """Work until no row is left, record that end and have it sealed."""
        try:
            await opening
            await self._work()
        except asyncio.CancelledError:
            await self._cancel()
        result = self._result()
        await self._change(result.state)
        if self._request.revision:
            await despite_cancellation(self._recording.seal(result.state, result.counts))
        return result

    async def _open(self, request: CatalogRun) -> None:
        workflow.upsert_search_attributes([search_attributes.STATUS.value_set(self._state.value)])
        workflow.set_current_details(f"{request.title}: {request.total} rows")
        if request.carried is not None and not request.retry:
            return
        await self._recording.open()
        await self._change(self._state)
        if request.retry:
            await self._retry(RowSelection(rows=request.retry_rows))

    async def _work(self) -> None:
        while self._orders or self._tasks or not self._schedule.finished:
            await workflow.wait_condition(lambda: self._woken)
            self._woken = False
            while self._orders:
                await self._orders.pop(0)()
            while self._offers:
                self._request = await take_in(self._request, self._schedule, self._recording, self._offers.pop(0))
            while self._reported:
                await self._finish(self._reported.pop(0))
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new()
            await self._start_rows()

    async def _start_rows(self) -> None:
        while self._state is RunState.RUNNING and len(self._schedule.running) < self._concurrency:
            head = self._schedule.take()
            if head is not None:
                self._tasks[head.index] = asyncio.create_task(self._run_row(head))
                continue
            page = self._schedule.page_to_load()
            if page is None:
                return
            await self._load(page)

    async def _load(self, page: int) -> None:
        heads = await workflow.execute_local_activity_method(
            PlanActivities.page, PageRequest(plan=self._request.current, page=page), **QUICK_CHECK
        )
        await self._recording.blocked(self._schedule.load(page, heads.rows))

    async def _run_row(self, head: RowHead) -> None:
        try:
            result = await self._row_ended(head)
            if result is not None:
                await self._finish(result)
        finally:
            del self._tasks[head.index]
            self._woken = True

    async def _row_ended(self, head: RowHead) -> RowResult | None:
        """Return a row's end, or ``None`` when it will be told by signal."""
        try:
            while True:
                try:
                    handle = await start_row(self._request, self._schedule, head)
                    break
                except WorkflowAlreadyStartedError:
                    if await self._detached(head):
                        return None
                    succeeded = await self._succeeded_before(head)
                    if succeeded:
                        return succeeded
            self._handles[head.index] = handle
            return await handle
        except ChildWorkflowError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.details:
                return RowResult.model_validate(cause.details[0])
            return await self._ended_unrecorded(error, head)
        finally:
            self._handles.pop(head.index, None)

    async def _detached(self, head: RowHead) -> bool:
        """Have a row that is no child of this run report its end by signal; ``False`` when it has ended.

        Somebody started it by hand, or this run was terminated and is retried.
        """
        underway = workflow.get_external_workflow_handle(row_workflow_id(self._request.run, head.id))
        try:
            await underway.signal(RowWorkflow.detach, Detach())
        except FailureError:
            return False
        return True

    async def _succeeded_before(self, head: RowHead) -> RowResult | None:
        ending = await self._recording.ending(head)
        if ending.state is not RowState.SUCCEEDED:
            return None
        return RowResult(index=head.index, row=head.id, state=ending.state, output=ending.output, files=ending.files)

    async def _ended_unrecorded(self, error: ChildWorkflowError, head: RowHead) -> RowResult:
        """Record the end of a row that could not do so itself: it was terminated, or cancelled at once."""
        state = RowState.CANCELLED if is_cancelled_exception(error) else RowState.FAILED
        message = str(error.cause or error)
        await self._recording.rows([head], state, ErrorCode.INTERNAL, message)
        return RowResult(index=head.index, row=head.id, state=state, code=ErrorCode.INTERNAL, message=message)

    async def _finish(self, result: RowResult) -> None:
        await self._recording.blocked(self._schedule.finish(result), because=result.row)
        if self._schedule.wanted_again(result.index):
            self._order(lambda: self._retry(RowSelection(rows=(result.row,))))

    async def _retry(self, selection: RowSelection) -> None:
        wanted = await self._locate(selection)
        if self._request.revision >= HEARS_EARLY_RETRIES:
            await self._note_ends(wanted)
        reset = self._schedule.retry(wanted)
        if reset:
            await self._pending_again(reset)

    async def _note_ends(self, wanted: list[int]) -> None:
        """Note the rows whose end is recorded and not told yet: whoever wants them again has seen the record."""
        for index, head in list(self._schedule.running.items()):
            if (index in wanted or not wanted) and (await self._recording.ending(head)).state.ended:
                self._schedule.retry_when_told(index)

    async def _pending_again(self, reset: list[int]) -> None:
        chosen = set(reset)
        for page in sorted({index // self._request.page_rows for index in reset}):
            heads = await workflow.execute_local_activity_method(
                PlanActivities.page, PageRequest(plan=self._request.current, page=page), **QUICK_CHECK
            )
            again = [head for head in heads.rows if head.index in chosen]
            await self._recording.rows(again, RowState.PENDING)
            await self._recording.blocked(self._schedule.load(page, heads.rows))

    async def _skip(self, selection: RowSelection) -> None:
        for index in await self._locate(selection):
            await self._load(index // self._request.page_rows)
            skipped = self._schedule.skip(index)
            if skipped:
                await self._recording.rows(skipped[:1], RowState.SKIPPED)
                await self._recording.blocked(skipped[1:], because=skipped[0].id)

    async def _locate(self, selection: RowSelection) -> list[int]:
        if not selection.rows:
            return []
        located = await workflow.execute_local_activity_method(
            PlanActivities.locate, LocateRequest(plan=self._request.current, rows=selection.rows), **QUICK_CHECK
        )
        return list(located.indexes)

    async def _cancel(self) -> None:
        self._cancelled = True
        self._schedule.cancel_pending()
        for task in list(self._tasks.values()):
            task.cancel()
        for index, head in list(self._schedule.running.items()):
            if index not in self._tasks:
                row = row_workflow_id(self._request.run, head.id)
                await workflow.get_external_workflow_handle(row).cancel()
        await workflow.wait_condition(lambda: not self._tasks)
        self._schedule.cancel_running()

    async def _continue_as_new(self) -> None:
        await workflow.wait_condition(lambda: len(self._handles) == len(self._tasks))
        for index, handle in list(self._handles.items()):
            try:
                await handle.signal(RowWorkflow.detach, Detach())
            except FailureError:
                # The row ended before the signal reached it, so its end is on the way to this run.
                await self._told_by(index)
        # What is asked for or told meanwhile would end with this execution.
        while self._orders or self._reported or len(self._handles) != len(self._tasks):
            while self._orders:
                await self._orders.pop(0)()
            while self._reported:
                await self._finish(self._reported.pop(0))
            await workflow.wait_condition(lambda: len(self._handles) == len(self._tasks))
        carried = self._schedule.carried(
            paused=self._state is RunState.PAUSED, concurrency=self._concurrency, sequence=self._recording.sequence
        ).model_copy(update={"offers": tuple(self._offers)})
        workflow.continue_as_new(self._request.model_copy(update={"carried": carried, "retry": False}))

    async def _told_by(self, index: int) -> None:
        await workflow.wait_condition(lambda: index not in self._tasks)

    async def _enter(self, state: RunState) -> None:
        if state is self._state:
            return
        self._state = state
        workflow.upsert_search_attributes([search_attributes.STATUS.value_set(state.value)])
        await self._change(state)

    async def _change(self, state: RunState) -> None:
        await self._recording.change(state, self._concurrency)

    def _steer(self, signal: str, said: Steered, order: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Queue what somebody asks for by a signal, told to the audit log."""
        if self._request.revision >= TELLS_OF_STEERING:
            self._order(lambda: self._recording.steered(signal, said))
        self._order(order)

    def _order(self, order: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Queue what is to be done; the one loop of the run carries it out, so nothing interleaves."""
        self._orders.append(order)
        self._woken = True

    def _counts(self) -> dict[RowState, int]:
        return {state: count for state, count in sorted(self._schedule.counts.items()) if count}

    def _result(self) -> RunResult:
        counts = self._counts()
        unsuccessful = set(counts) - {RowState.SUCCEEDED}
        if self._cancelled:
            state = RunState.CANCELLED
        else:
            state = RunState.COMPLETED_WITH_FAILURES if unsuccessful else RunState.COMPLETED
        return RunResult(run=self._request.run, state=state, counts=counts)


def _told(result: RunResult) -> str:
    counts = ", ".join(f"{count} {state.value.replace('_', ' ')}" for state, count in result.counts.items())
    return f"not every row succeeded: {counts}"
