"""Runs and rows that somebody terminated from outside: they cannot record their own end, so it is done here."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.records.contracts import RowChange, RowChanges, RowState, RunChange, RunState
from activities.records.database import timestamp
from activities.records.views import RowView, RunView
from api.services import Services
from temporal.contract import row_workflow_id, run_workflow_id, workflow_place
from temporal.errors import PrismError
from temporal.names import ErrorCode, WorkflowName
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowResult

log = logging.getLogger("prism.api")

SWEEP_SECONDS: Final = 10.0
# Temporal's visibility lags behind its histories, by seconds on a busy cluster.
OVERLAP: Final = timedelta(minutes=2)
RPC_TIMEOUT: Final = timedelta(seconds=5)
MESSAGE: Final = "its workflow was terminated from outside"
_ENDED_FROM_OUTSIDE: Final = {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT}


async def watch_terminations(services: Services) -> None:
    """Look every ``SWEEP_SECONDS`` for what was terminated, for as long as the process lives."""
    since: datetime | None = None
    while True:
        began = datetime.now(UTC)
        try:
            await sweep(services, since)
            since = began - OVERLAP
        except (RPCError, RuntimeError, PrismError) as error:
            # The next sweep looks at the same span again, so an outage loses nothing.
            log.info("terminated workflows could not be looked for: %s", error)
        await asyncio.sleep(SWEEP_SECONDS)


async def sweep(services: Services, since: datetime | None) -> None:
    """Record the end of every run and row that was terminated since a moment; repeating it changes nothing."""
    query = (
        f"WorkflowType IN ('{WorkflowName.CATALOG}', '{WorkflowName.ROW}') "
        "AND ExecutionStatus IN ('Terminated', 'TimedOut')"
    )
    if since is not None:
        query += f" AND CloseTime > '{since.isoformat()}'"
    async for execution in services.temporal.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
        place = workflow_place(execution.id)
        if place is None:
            continue
        run, row = place
        if row is None:
            view = await services.queries.run(run)
            if view is not None:
                await settled(services, view)
        else:
            await _settle_row(services, run, row)


async def settled(services: Services, view: RunView) -> RunView:
    """Return a run as it is, after recording its end where its workflow was terminated."""
    if view.state.ended or not await _ended_from_outside(services, run_workflow_id(view.run)):
        return view
    change = RunChange(run=view.run, state=RunState.TERMINATED, sequence=view.sequence + 1, at=timestamp())
    await services.stores.keeper.change_run(change)
    return await services.queries.run(view.run) or view


async def _settle_row(services: Services, run: str, row: str) -> None:
    view = await services.queries.row(run, row)
    if view is None or view.state.ended or view.state is RowState.PENDING:
        return
    if not await _ended_from_outside(services, row_workflow_id(run, row)):
        return
    change = RowChange(
        row=row, state=RowState.FAILED, attempt=view.attempt, code=ErrorCode.INTERNAL.value, message=MESSAGE
    )
    await services.stores.keeper.change_rows(RowChanges(run=run, at=timestamp(), changes=(change,)))
    await _tell_run(services, view)


async def _tell_run(services: Services, row: RowView) -> None:
    """Report the end as the row would have; a run that heard of it already takes no notice."""
    result = RowResult(
        index=row.position, row=row.row, state=RowState.FAILED, code=ErrorCode.INTERNAL.value, message=MESSAGE
    )
    handle = services.temporal.get_workflow_handle(run_workflow_id(row.run))
    try:
        await handle.signal(CatalogWorkflow.row_finished, result, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def _ended_from_outside(services: Services, workflow_id: str) -> bool:
    """Return whether the newest execution of a workflow was terminated; ``False`` when Temporal knows none."""
    handle = services.temporal.get_workflow_handle(workflow_id)
    try:
        description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status in _ENDED_FROM_OUTSIDE
