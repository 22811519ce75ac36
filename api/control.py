"""Acting on runs and rows: signals to workflows, cancellation, and retry of a run that has ended."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

from activities.artifacts.contracts import Digest, Text
from activities.audit.actor import actor
from activities.audit.contracts import AuditEvent, AuditKind
from activities.prompts.contracts import NamedText
from activities.records.contracts import RowState, RunChange, RunState
from activities.records.database import timestamp
from activities.records.views import RowView, RunView
from activities.reflections.register import SqlReflectionRegister
from api.auditing import steered
from api.errors import Conflict, NotFound
from api.services import Services
from api.submission import start
from temporal.client import TemporalUnavailable
from temporal.contract import run_workflow_id
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RUN_REVISION, Carried, CatalogRun, RowSelection, RunOptions, Steered
from workflows.schedule import LETTERS, MAX_NOTES

# A workflow records its end a moment before it closes; until then its id cannot be started again.
CLOSING_SECONDS = 5.0
CLOSING_PAUSE = 0.1


async def known_run(services: Services, run: str) -> RunView:
    """Return a run.

    Raises:
        NotFound: There is no such run.
    """
    view = await services.queries.run(run)
    if view is None:
        raise NotFound(f"there is no run {run}", run=run)
    return view


async def known_row(services: Services, run: str, row: str) -> RowView:
    """Return a row with its steps.

    Raises:
        NotFound: There is no such row.
    """
    view = await services.queries.row(run, row)
    if view is None:
        raise NotFound(f"run {run} has no row {row}", run=run, row=row)
    return view


async def signal_run(services: Services, run: str, signal: Any, said: Steered) -> None:  # noqa: ANN401
    """Send a signal to a run that has not ended, in the name of whoever asks for it.

    Raises:
        NotFound: There is no such run.
        Conflict: It has ended.
    """
    view = await _current(services, run)
    if view.state.ended:
        raise Conflict(f"run {run} has ended ({view.state.value})", run=run, state=view.state.value)
    said = _named(said)
    await _reach(services.temporal.get_workflow_handle(run_workflow_id(run)).signal(signal, said), run)
    await services.audit.write(steered(run, signal, said))


async def cancel_run(services: Services, run: str) -> None:
    """Cancel a run with all its rows; cancelling it again changes nothing.

    Raises:
        NotFound: There is no such run.
        Conflict: It has ended otherwise.
    """
    view = await _current(services, run)
    if view.state.ended and view.state is not RunState.CANCELLED:
        raise Conflict(f"run {run} has ended ({view.state.value})", run=run, state=view.state.value)
    if not view.state.ended:
        await _reach(services.temporal.get_workflow_handle(run_workflow_id(run)).cancel(), run)
        await services.audit.write(AuditEvent(kind=AuditKind.RUN_CANCELLED, subject=f"run/{run}"))


async def retry(services: Services, run: str, rows: Sequence[str]) -> None:
    """Run rows again that ended without success, and what they blocked; also of a run that has ended."""
    deadline = time.monotonic() + CLOSING_SECONDS
    while (view := await _current(services, run)).state.ended:
        if reflection := await SqlReflectionRegister(services.stores.engine).reflection(run):
            # Whoever acts on what is decided has ended with the run.
            raise Conflict(f"a reflection is not run again: begin another, prism reflect {reflection.agent}", run=run)
        if set(view.counts) <= {RowState.SUCCEEDED}:
            raise Conflict(f"every row of run {run} succeeded; there is nothing to retry", run=run)
        request = await _restarted(services, view)
        if await start(services, request.model_copy(update={"retry_rows": tuple(rows)})):
            await services.audit.write(steered(run, CatalogWorkflow.retry, _named(RowSelection(rows=tuple(rows)))))
            return
        if time.monotonic() > deadline:
            raise Conflict(f"the end of run {run} is being sealed, or somebody else retries it: try again", run=run)
        await asyncio.sleep(CLOSING_PAUSE)
    await signal_run(services, run, CatalogWorkflow.retry, RowSelection(rows=tuple(rows)))
    # The workflow records the same change under the same number; whoever looks right now sees it already.
    change = RunChange(run=run, state=RunState.RUNNING, sequence=view.sequence + 1, at=timestamp())
    await services.stores.keeper.change_run(change)


def _named(said: Steered) -> Steered:
    """Return what a signal says, with who says it and a name for the act."""
    return said.model_copy(update={"by": said.by or actor(), "act": uuid.uuid4().hex})


async def _current(services: Services, run: str) -> RunView:
    """Return a run as Temporal knows it: one that was terminated has not said so itself."""
    view = await known_run(services, run)
    try:
        return await services.terminations.settled(view)
    except RPCError as error:
        raise TemporalUnavailable(f"the Temporal server does not answer: {error.message}") from error


async def _restarted(services: Services, view: RunView) -> CatalogRun:
    """Return the input that takes an ended run up again where the records say it stood."""
    current = view.grown or view.plan
    plan = await services.stores.plans.plan(current)
    outcomes = await services.queries.outcomes(view.run)
    # A row that a terminated run left under way is adopted when it is started again.
    states = [RowState(one[1]) if RowState(one[1]).ended else RowState.PENDING for one in outcomes]
    outputs: dict[int, NamedText] = {}
    unmet: dict[int, int] = {}
    notes: dict[str, NamedText] = {}
    for number in range(len(plan.pages)):
        for planned in (await services.stores.plans.page(current, number)).rows:
            if states[planned.index] is RowState.SUCCEEDED:
                key, digest = planned.row.remember, outcomes[planned.index][4]
                if key and digest:
                    notes[key] = NamedText(name=key, text=await _output(services, digest))
                continue
            for upstream in planned.upstream:
                unmet[upstream] = unmet.get(upstream, 0) + 1
    for index in unmet:
        name, state, _, _, digest = outcomes[index]
        if state == RowState.SUCCEEDED and digest:
            outputs[index] = NamedText(name=name, text=await _output(services, digest))
    concurrency = view.concurrency or services.settings.concurrency
    return CatalogRun(
        run=view.run,
        plan=view.plan,
        grown=view.grown,
        title=view.title,
        total=plan.total,
        page_rows=plan.page_rows,
        submitter=view.submitter,
        options=RunOptions(concurrency=concurrency, judge_group=services.settings.judge_group, policy=view.policy),
        retry=True,
        revision=RUN_REVISION,
        carried=Carried(
            states="".join(LETTERS[state] for state in states),
            attempts={index: one[2] for index, one in enumerate(outcomes) if one[2] > 1},
            generations={index: one[3] for index, one in enumerate(outcomes) if one[3]},
            outputs=outputs,
            unmet=unmet,
            notes=dict(list(notes.items())[-MAX_NOTES:]),
            next_page=len(plan.pages),
            concurrency=concurrency,
            sequence=view.sequence,
        ),
    )


async def _output(services: Services, digest: Digest) -> Text:
    return Text(digest=digest, size=len(await services.stores.artifacts.get(digest)))


async def _reach(call: Any, run: str) -> None:  # noqa: ANN401 -- a coroutine of the SDK
    try:
        await call
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Conflict(f"the workflow of run {run} has ended", run=run) from error
        raise TemporalUnavailable(f"the Temporal server does not answer: {error.message}") from error
