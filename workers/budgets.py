"""What happens around a spent budget: runs pause and people are asked; with more to spend, rows go on."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.budgets.contracts import BudgetView
from activities.budgets.register import SqlBudgetRegister, Stop
from activities.budgets.rules_file import load_budgets
from activities.notifications.contracts import Notification, Notifier
from activities.notifications.inbox import SUBMITTER, InboxNotifier
from activities.records.contracts import RunState
from activities.records.queries import RecordQueries
from temporal.contract import StepRef, row_workflow_id, run_workflow_id
from temporal.errors import PrismError
from workers.notifications import notification_rules
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import BudgetFreed, Operator
from workflows.row import RowWorkflow

log = logging.getLogger("prism.worker")

LOOK_SECONDS: Final = 1.0
RPC_TIMEOUT: Final = timedelta(seconds=5)
BY: Final = "budget"
STEP: Final = "budget"


class BudgetWatch:
    """Looks at rows that a budget stopped. Repeating any of it changes nothing, so every worker may do it.

    Args:
        client: Temporal.
        register: Which rows wait, and what there is room for.
        queries: How runs stand.
        notifier: Tells people.
    """

    def __init__(self, client: Client, register: SqlBudgetRegister, queries: RecordQueries, notifier: Notifier) -> None:
        self._client = client
        self._register = register
        self._queries = queries
        self._notifier = notifier

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every ``LOOK_SECONDS`` until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
            except (RPCError, PrismError) as error:
                # What was not done is found again.
                log.info("budgets could not be looked after: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of what is spent or nearly spent, and free what there is room for."""
        for view, run, row in await self._register.crossings():
            await self._warn(view, run, row)
        stops = await self._register.stops()
        for run, waiting in groupby(sorted(stops, key=_run), key=_run):
            # Where calls under way leave room when they are paid, nobody needs to be asked.
            untold = await self._register.exhausted([stop for stop in waiting if not stop.told])
            if untold:
                await self._tell(run, untold)
        if stops:
            await self._free(await self._register.stops())

    async def _tell(self, run: str, stops: Sequence[Stop]) -> None:
        """Pause a run and ask for more; a row more of a run that was paused is not told again."""
        view = await self._queries.run(run)
        pauses = view is not None and view.state is RunState.RUNNING
        first = stops[0]
        budgets = await self._register.budgets()
        budget = next((one for one in budgets if (one.budget, one.period) == (first.budget, first.period)), None)
        if pauses and budget is not None:
            reason = f"the budget {told_name(budget)} is spent"
            await self._signal_run(run, CatalogWorkflow.pause, reason)
            await self._notifier.deliver(_asking(budget, first))
        await self._register.told(stops, paused=pauses)

    async def _free(self, stops: Sequence[Stop]) -> None:
        free = await self._register.room(stops)
        waiting = {stop.run for stop in stops if stop not in free}
        for stop in free:
            row = self._client.get_workflow_handle(row_workflow_id(stop.run, stop.row))
            with _unless_gone():
                await row.signal(RowWorkflow.budget_freed, BudgetFreed(stop=stop.id), rpc_timeout=RPC_TIMEOUT)
        for run in sorted({stop.run for stop in free if stop.paused} - waiting):
            await self._signal_run(run, CatalogWorkflow.resume, "there is enough of the budget again")
        if free:
            await self._register.freed(free)

    async def _signal_run(self, run: str, signal: Callable[[CatalogWorkflow, Operator], None], reason: str) -> None:
        handle = self._client.get_workflow_handle(run_workflow_id(run))
        with _unless_gone():
            await handle.signal(signal, Operator(by=BY, reason=reason), rpc_timeout=RPC_TIMEOUT)

    async def _warn(self, view: BudgetView, run: str, row: str) -> None:
        share = view.spent_usd / (view.limit_usd + view.allowed_usd)
        ahead = f" At this rate it will be ${view.forecast_usd:,.2f}." if view.forecast_usd else ""
        total = view.limit_usd + view.allowed_usd
        await self._notifier.deliver(
            Notification(
                # The key holds what was allowed: with more to spend there is another time to warn.
                step=StepRef(run=run, row=row, step=f"{STEP}/{view.budget}/{view.period}/{view.allowed_usd:.6f}/near"),
                recipients=view.approvers or (SUBMITTER,),
                title=f"{share:.0%} of the budget {told_name(view)} is spent",
                body=f"${view.spent_usd:,.2f} of ${total:,.2f}.{ahead}",
                severity="warning",
            )
        )
        await self._register.warned(view)


def open_watch(settings: Settings, client: Client, engine: Engine) -> BudgetWatch:
    """Return what looks after the budgets of an installation.

    Raises:
        InvalidBudgets: They cannot be used.
    """
    register = SqlBudgetRegister(engine, load_budgets(settings.budgets))
    notifier = InboxNotifier(engine, notification_rules(settings))
    return BudgetWatch(client, register, RecordQueries(engine), notifier)


def told_name(view: BudgetView) -> str:
    """Return how people call a budget."""
    return f"{view.budget} ({view.period.replace('/board/', ', board ')})"


def _asking(view: BudgetView, stop: Stop) -> Notification:
    total = view.limit_usd + view.allowed_usd
    return Notification(
        step=StepRef(run=stop.run, row=stop.row, step=f"{STEP}/{view.budget}/{view.period}/{stop.id}"),
        recipients=(*view.approvers, SUBMITTER),
        title=f"Run {stop.run} is paused: the budget {told_name(view)} is spent",
        body=f"${view.spent_usd:,.2f} of ${total:,.2f}. Allow more on the budgets page, or cancel the run.",
        severity="error",
    )


def _run(stop: Stop) -> str:
    return stop.run


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Take no notice of a workflow that has ended."""
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
