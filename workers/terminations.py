"""Runs and rows that somebody terminated from outside: they cannot record their own end, so it is done here."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.records.contracts import RowChange, RowChanges, RowState, RunChange, RunState
from activities.records.database import timestamp
from activities.records.keeper import SqlRecordKeeper
from activities.records.queries import RecordQueries
from activities.records.views import RowView, RunView
from temporal.contract import row_workflow_id, run_workflow_id, workflow_place
from temporal.errors import PrismError
from temporal.names import ErrorCode, WorkflowName
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowResult

log = logging.getLogger("prism.worker")

SWEEP_SECONDS: Final = 10.0
# Temporal's visibility lags behind its histories, by seconds on a busy cluster.
OVERLAP: Final = timedelta(minutes=2)
RPC_TIMEOUT: Final = timedelta(seconds=5)
MESSAGE: Final = "its workflow was terminated from outside"
_ENDED_FROM_OUTSIDE: Final = {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT}


class Terminations:
    """Finds what was terminated and records it. Repeating it changes nothing, so every worker may do it.

    Args:
        client: Temporal.
        keeper: The writing side of the records.
        queries: Their reading side.
    """

    def __init__(self, client: Client, keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
        self._client = client
        self._keeper = keeper
        self._queries = queries

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every ``SWEEP_SECONDS`` until told to stop."""
        since: datetime | None = None
        while not stop.is_set():
            began = datetime.now(UTC)
            try:
                await self.sweep(since)
                since = began - OVERLAP
            except (RPCError, PrismError) as error:
                # The next sweep looks at the same span again, so an outage loses nothing.
                log.info("terminated workflows could not be looked for: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)

    async def sweep(self, since: datetime | None = None) -> None:
        """Record the end of every run and row that was terminated since a moment."""
        query = (
            f"WorkflowType IN ('{WorkflowName.CATALOG}', '{WorkflowName.ROW}') "
            "AND ExecutionStatus IN ('Terminated', 'TimedOut')"
        )
        if since is not None:
            query += f" AND CloseTime > '{since.isoformat()}'"
        async for execution in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            place = workflow_place(execution.id)
            if place is None:
                continue
            run, row = place
            if row is not None:
                await self._settle_row(run, row)
            elif view := await self._queries.run(run):
                await self.settled(view)

    async def settled(self, view: RunView) -> RunView:
        """Return a run as it is, after recording its end where its workflow was terminated."""
        if view.state.ended or not await self._ended_from_outside(run_workflow_id(view.run)):
            return view
        change = RunChange(run=view.run, state=RunState.TERMINATED, sequence=view.sequence + 1, at=timestamp())
        await self._keeper.change_run(change)
        return await self._queries.run(view.run) or view

    async def _settle_row(self, run: str, row: str) -> None:
        view = await self._queries.row(run, row)
        if view is None or view.state.ended or view.state is RowState.PENDING:
            return
        if not await self._ended_from_outside(row_workflow_id(run, row)):
            return
        change = RowChange(
            row=row, state=RowState.FAILED, attempt=view.attempt, code=ErrorCode.INTERNAL.value, message=MESSAGE
        )
        await self._keeper.change_rows(RowChanges(run=run, at=timestamp(), changes=(change,)))
        await self._tell_run(view)

    async def _tell_run(self, row: RowView) -> None:
        """Report the end as the row would have; a run that heard of it already takes no notice."""
        result = RowResult(
            index=row.position, row=row.row, state=RowState.FAILED, code=ErrorCode.INTERNAL.value, message=MESSAGE
        )
        handle = self._client.get_workflow_handle(run_workflow_id(row.run))
        try:
            await handle.signal(CatalogWorkflow.row_finished, result, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _ended_from_outside(self, workflow_id: str) -> bool:
        """Return whether the newest execution of a workflow was terminated; ``False`` when Temporal knows none."""
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return description.status in _ENDED_FROM_OUTSIDE
