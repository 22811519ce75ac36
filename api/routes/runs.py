"""Runs: list, look, steer, results."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from activities.records.contracts import RunState
from activities.records.views import RunView
from api import compliance, results
from api.control import cancel_run, known_run, retry, signal_run
from api.errors import errors
from api.models import Accepted, ConcurrencyBody, OperatorBody, Runs, SelectionBody, SkipBody
from api.permission import Access, Ground, may
from api.proofs import proof
from api.services import Served
from workflows.catalog import CatalogWorkflow
from workflows.contracts import Concurrency, Operator, RowSelection

router = APIRouter(prefix="/runs", tags=["runs"])

Limit = Annotated[int, Query(ge=1, le=500)]
Lists = Annotated[Access, may("runs.read", Ground.SOME_BOARDS)]
READS = may("runs.read", Ground.RUN)
Steers = Annotated[Access, may("runs.steer", Ground.RUN)]
STEERS = may("runs.steer", Ground.RUN)
STEERING = errors(400, 404, 409, 422, 503)


@router.get("", responses=errors(422, 503))
async def list_runs(
    services: Served,
    access: Lists,
    state: RunState | None = None,
    q: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[str, Query(max_length=120)] = "",
    limit: Limit = 50,
) -> Runs:
    """List runs, newest first; ``next`` goes into ``before`` for the next page."""
    found = await services.queries.runs(state=state or "", text=q, before=before, limit=limit, boards=access.boards)
    return Runs(runs=found, next=found[-1].cursor if len(found) == limit else None)


@router.get("/{run}", responses=errors(404, 422, 503), dependencies=[READS])
async def get_run(run: str, services: Served) -> RunView:
    """Show a run: its state, counts, cost and rate."""
    return await known_run(services, run)


@router.get(
    "/{run}/results",
    dependencies=[READS],
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")}
            | {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
        },
        **errors(404, 422, 503),
    },
)
async def get_results(
    run: str,
    services: Served,
    format: Literal["csv", "jsonl", "json"] = "json",  # noqa: A002 -- its name in the URL
) -> StreamingResponse:
    """Download every row with its output. CSV cells that a spreadsheet would run as formulas are escaped."""
    await known_run(services, run)
    body, kind = results.stream(services, run, format)
    headers = {"content-disposition": f'attachment; filename="{run}.{format}"'}
    return StreamingResponse(body, media_type=kind, headers=headers)


@router.get(
    "/{run}/proof",
    dependencies=[READS],
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        **errors(404, 409, 422, 503),
    },
)
async def get_proof(
    run: str, services: Served, row: Annotated[str, Query(max_length=400, description="Only this row")] = ""
) -> StreamingResponse:
    """Download the proof of a run that has ended, or of one row: seal, envelopes, public keys; verified offline."""
    body = await proof(services, run, row)
    headers = {"content-disposition": f'attachment; filename="{run}.proof.zip"'}
    return StreamingResponse(body, media_type="application/zip", headers=headers)


@router.get(
    "/{run}/compliance",
    dependencies=[READS],
    response_class=StreamingResponse,
    responses={
        200: {"content": {kind: {"schema": {"type": "string"}} for kind in ("text/html", "text/csv")}},
        **errors(404, 422, 503),
    },
)
async def get_compliance(
    run: str,
    services: Served,
    format: compliance.Form = "html",  # noqa: A002 -- its name in the URL
) -> StreamingResponse:
    """Download who decided what on each row: policy and people, with reasons; a page, or a table."""
    body = await compliance.report(services, await known_run(services, run), format)
    headers = {"content-disposition": f'attachment; filename="{run}.compliance.{format}"'}
    return StreamingResponse(body, media_type=compliance.MEDIA_TYPES[format], headers=headers)


@router.post("/{run}/pause", status_code=202, responses=STEERING)
async def pause(run: str, services: Served, access: Steers, operator: OperatorBody | None = None) -> Accepted:
    """Start no further row; rows under way go on."""
    await signal_run(services, run, CatalogWorkflow.pause, _operator(access, operator))
    return Accepted()


@router.post("/{run}/resume", status_code=202, responses=STEERING)
async def resume(run: str, services: Served, access: Steers, operator: OperatorBody | None = None) -> Accepted:
    """Start rows again."""
    await signal_run(services, run, CatalogWorkflow.resume, _operator(access, operator))
    return Accepted()


@router.post("/{run}/cancel", status_code=202, responses=STEERING, dependencies=[STEERS])
async def cancel(run: str, services: Served) -> Accepted:
    """Cancel a run with all its rows."""
    await cancel_run(services, run)
    return Accepted()


@router.post("/{run}/retry", status_code=202, responses=STEERING, dependencies=[STEERS])
async def retry_rows(run: str, services: Served, selection: SelectionBody | None = None) -> Accepted:
    """Run rows again that ended without success, and what they blocked; also when the run has ended."""
    await retry(services, run, selection.rows if selection else [])
    return Accepted()


@router.post("/{run}/skip", status_code=202, responses=STEERING, dependencies=[STEERS])
async def skip(run: str, services: Served, selection: SkipBody) -> Accepted:
    """End rows that were not started; rows that depend on them are blocked."""
    await signal_run(services, run, CatalogWorkflow.skip, RowSelection(rows=tuple(selection.rows)))
    return Accepted()


@router.post("/{run}/concurrency", status_code=202, responses=STEERING, dependencies=[STEERS])
async def set_concurrency(run: str, services: Served, concurrency: ConcurrencyBody) -> Accepted:
    """Change how many rows are under way at once."""
    await signal_run(services, run, CatalogWorkflow.set_concurrency, Concurrency(limit=concurrency.limit))
    return Accepted()


def _operator(access: Access, body: OperatorBody | None) -> Operator:
    body = body or OperatorBody()
    return Operator(by=access.principal.acting_as(body.by), reason=body.reason)
