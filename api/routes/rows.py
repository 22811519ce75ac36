"""Rows: list, look, decide, retry. A row id may hold slashes; it stands in the path as it is."""

from typing import Annotated

from fastapi import APIRouter, Query

from activities.records.contracts import RowState
from activities.records.views import RowDetail
from activities.reviews.contracts import ReviewDecision
from api.control import decide, known_row, known_run, retry
from api.errors import NotFound, errors
from api.models import Accepted, DecisionBody, Rows
from api.permission import Access, Ground, may
from api.services import Served

router = APIRouter(prefix="/runs/{run}/rows", tags=["rows"])

Decides = Annotated[Access, may("reviews.decide", Ground.ROW)]
DECIDING = errors(400, 404, 409, 422, 503)


@router.get("", responses=errors(404, 422, 503), dependencies=[may("runs.read", Ground.RUN)])
async def list_rows(
    run: str,
    services: Served,
    state: RowState | None = None,
    board: Annotated[str, Query(max_length=200)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Rows:
    """List a run's rows in plan order; ``next`` goes into ``after`` for the next page."""
    await known_run(services, run)
    found = await services.queries.rows(run, state=state or "", board=board, text=q, after=after, limit=limit)
    return Rows(rows=found, next=found[-1].position if len(found) == limit else None)


@router.post("/{row:path}/approve", status_code=202, responses=DECIDING)
async def approve(run: str, row: str, decision: DecisionBody, services: Served, access: Decides) -> Accepted:
    """Approve the output of a row that waits for a review."""
    await decide(services, run, row, _signed(access, decision), approve=True)
    return Accepted()


@router.post("/{row:path}/reject", status_code=202, responses=DECIDING)
async def reject(run: str, row: str, decision: DecisionBody, services: Served, access: Decides) -> Accepted:
    """Reject the output of a row that waits for a review; the row ends."""
    await decide(services, run, row, _signed(access, decision), approve=False)
    return Accepted()


# A row that is run again takes along what it blocked, on whichever board: it takes the whole run's permission.
@router.post("/{row:path}/retry", status_code=202, responses=DECIDING, dependencies=[may("runs.steer", Ground.RUN)])
async def retry_row(run: str, row: str, services: Served) -> Accepted:
    """Run one row again, and what it blocked."""
    await known_row(services, run, row)
    await retry(services, run, [row])
    return Accepted()


@router.get("/{row:path}", responses=errors(404, 422, 503), dependencies=[may("runs.read", Ground.ROW)])
async def get_row(run: str, row: str, services: Served) -> RowDetail:
    """Show a row with every step of every execution."""
    view = await services.queries.row(run, row)
    if view is None:
        raise NotFound(f"run {run} has no row {row}", run=run, row=row)
    return view


def _signed(access: Access, decision: DecisionBody) -> ReviewDecision:
    return ReviewDecision(by=access.principal.acting_as(decision.by), comment=decision.comment)
