"""Rows: list, look, retry. A row id may hold slashes; it stands in the path as it is."""

from typing import Annotated

from fastapi import APIRouter, Query

from activities.records.contracts import RowState
from activities.records.views import RowDetail
from api.control import known_row, known_run, retry
from api.errors import NotFound, errors
from api.models import Accepted, Rows
from api.permission import Ground, may
from api.services import Served

router = APIRouter(prefix="/runs/{run}/rows", tags=["rows"])

RETRYING = errors(400, 404, 409, 422, 503)


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


# A row that is run again takes along what it blocked, on whichever board: it takes the whole run's permission.
@router.post("/{row:path}/retry", status_code=202, responses=RETRYING, dependencies=[may("runs.steer", Ground.RUN)])
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
