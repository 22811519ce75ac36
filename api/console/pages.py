"""The console's pages."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.records.contracts import RowState, RunState
from activities.records.views import RunView
from api import rating
from api.console.artifacts import output_of, shown_steps
from api.console.bars import BAR_ORDER, bar
from api.console.picture import picture_of
from api.console.proposals import shown_proposal
from api.console.reflections import prompt_change_of
from api.console.render import page
from api.console.reviews import account_of, fields_of, next_review, shown_review
from api.console.timeline import MOST_LANES, row_timeline, run_timeline
from api.console.underway import under_way, up_to_now
from api.control import known_run
from api.errors import NotFound
from api.models import MOST_AT_ONCE
from api.permission import Access, Ground, allowed, may
from api.proofs import has_proof
from api.services import Served, Services
from temporal.contract import row_workflow_id, run_workflow_id

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

RUNS_SHOWN: Final = 30
ROWS_SHOWN: Final = 50

Search = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(max_length=40)]
Lists = Annotated[Access, may("runs.read", Ground.SOME_BOARDS)]
ReadsRun = Annotated[Access, may("runs.read", Ground.RUN)]
ReadsRow = Annotated[Access, may("runs.read", Ground.ROW)]


@router.get("/")
async def runs_page(
    services: Served, access: Lists, q: Search = "", state: State = "", before: Search = ""
) -> Response:
    """List runs, and take a new catalog."""
    wanted = state if state in set(RunState) else ""
    after = await services.queries.last_event()
    found = await services.queries.runs(state=wanted, text=q, before=before, limit=RUNS_SHOWN, boards=access.boards)
    older = found[-1].cursor if len(found) == RUNS_SHOWN else ""
    return page(
        "runs.html",
        account=account_of(access),
        runs=found,
        bars={run.run: bar(run.counts, run.total) for run in found},
        ended={run.run: ended_rows(run) for run in found},
        states=[one.value for one in RunState],
        state=wanted,
        q=q,
        first=not before,
        older=_address("/", q=q, state=wanted, before=older) if older else "",
        filtered=bool(q or wanted or before),
        last_event=after,
    )


@router.get("/runs/{run}")
async def run_page(
    run: str,
    services: Served,
    access: ReadsRun,
    q: Search = "",
    state: State = "",
    board: Search = "",
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
) -> Response:
    """Show a run and its rows."""
    last_event = await services.queries.last_event()
    view = await known_run(services, run)
    wanted = state if state in set(RowState) else ""
    rows = await services.queries.rows(run, state=wanted, board=board, text=q, after=after, limit=ROWS_SHOWN + 1)
    more = len(rows) > ROWS_SHOWN
    rows = rows[:ROWS_SHOWN]
    here = f"/runs/{quote(run)}"
    return page(
        "run.html",
        account=account_of(access),
        run=view,
        bar=bar(view.counts, view.total),
        ended=ended_rows(view),
        picture=await picture_of(services, view, board),
        timeline=run_timeline(await services.queries.spans(run, board=board, limit=MOST_LANES + 1)),
        rows=rows,
        states=[one.value for one in BAR_ORDER if view.counts.get(one)],
        state=wanted,
        board=board,
        q=q,
        first=after < 0,
        first_page=_address(here, q=q, state=wanted, board=board),
        next_page=_address(here, q=q, state=wanted, board=board, after=str(rows[-1].position)) if more else "",
        retryable=_retryable(view),
        short=await services.budgets.short(run),
        proven=await has_proof(services, view),
        most_at_once=MOST_AT_ONCE,
        steers=await allowed(services, access.principal, "runs.steer", run),
        temporal_url=temporal_url(services, run_workflow_id(run)),
        last_event=last_event,
    )


@router.get("/runs/{run}/rows/{row:path}")
async def row_page(run: str, row: str, services: Served, access: ReadsRow) -> Response:
    """Show a row: what was asked, what came back, how it was checked and how it is proven."""
    last_event = await services.queries.last_event()
    view = await known_run(services, run)
    detail = await services.queries.row(run, row)
    if detail is None:
        raise NotFound(f"run {run} has no row {row}", run=run, row=row)
    detail = await up_to_now(services, detail)
    review = await shown_review(services, access.principal, run, row)
    output = await output_of(services, detail)
    return page(
        "row.html",
        account=account_of(access),
        run=view,
        # Skipping is asked of the run, retrying of the row: so does each route.
        skips=await allowed(services, access.principal, "runs.steer", run),
        retries=await allowed(services, access.principal, "runs.steer", run, row),
        proven=await has_proof(services, view),
        row=detail,
        short=await services.budgets.short(run, row) if not detail.state.ended else [],
        output=output,
        prompt_change=await prompt_change_of(services, detail, output),
        proposal=await shown_proposal(services, detail),
        asking=under_way(detail.steps) is not None,
        executions=await shown_steps(services, detail),
        timeline=row_timeline(detail),
        feedback=await rating.of_row(services, run, row),
        rates=await allowed(services, access.principal, "outputs.rate", run, row),
        personal=access.principal.personal,
        review=review,
        next_review=await next_review(services, access, run, row) if review.rounds else None,
        fields=fields_of(review.waiting) if review.waiting else [],
        temporal_url=temporal_url(services, row_workflow_id(run, row)),
        last_event=last_event,
    )


def temporal_url(services: Services, workflow_id: str) -> str:
    """Return where Temporal Web shows a workflow; empty when nobody told where it is."""
    base = services.settings.web_url
    namespace = quote(services.settings.temporal_namespace, safe="")
    return f"{base}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}" if base else ""


def ended_rows(run: RunView) -> int:
    """Return how many rows have ended, well or not."""
    return sum(rows for state, rows in run.counts.items() if state.ended)


def _retryable(run: RunView) -> int:
    return sum(rows for state, rows in run.counts.items() if state.ended and state is not RowState.SUCCEEDED)


def _address(base: str, **query: str) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{base}?{urlencode(given)}" if given else base
