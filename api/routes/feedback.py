"""Feedback: votes on outputs, scores, preference pairs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from activities.feedback.contracts import Dimension, Vote
from api import rating
from api.errors import errors
from api.feedback_models import Datasets, RateBody, RowFeedback, Scores
from api.permission import Access, Ground, may
from api.services import Served

router = APIRouter(tags=["feedback"])

Rates = Annotated[Access, may("outputs.rate", Ground.ROW)]


@router.post("/runs/{run}/rows/{row:path}/rate", responses=errors(403, 404, 409, 422, 503))
async def rate_output(run: str, row: str, body: RateBody, services: Served, access: Rates) -> Vote:
    """Say what you think of a row's output. One vote a person and output: the newest counts."""
    return await rating.rate(services, access.principal, run, row, body)


@router.get(
    "/runs/{run}/feedback/{row:path}", responses=errors(404, 422, 503), dependencies=[may("runs.read", Ground.ROW)]
)
async def row_feedback(run: str, row: str, services: Served) -> RowFeedback:
    """Show what people think of a row's outputs, reviewers' decisions included."""
    return await rating.of_row(services, run, row)


@router.get("/feedback/scores", responses=errors(422, 503), dependencies=[may("feedback.read")])
async def show_scores(
    services: Served,
    by: Dimension = Dimension.MODEL,
    days: Annotated[int | None, Query(ge=1, le=3660, description="Only votes of so many days.")] = None,
) -> Scores:
    """Show how good agents, models, prompt versions or boards are, each with its 95 % interval."""
    return await rating.scores(services, by, days)


@router.get("/feedback/datasets", responses=errors(422, 503), dependencies=[may("feedback.export")])
async def list_datasets(services: Served) -> Datasets:
    """List data sets of preference pairs; each is an artifact of JSON lines."""
    return await rating.datasets(services)


@router.get(
    "/feedback/pairs",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}, **errors(422, 503)},
    dependencies=[may("feedback.export")],
)
async def export_pairs(services: Served) -> StreamingResponse:
    """Download preference pairs as JSON lines: prompt, chosen and rejected text."""
    headers = {"content-disposition": 'attachment; filename="pairs.jsonl"'}
    return StreamingResponse(await rating.pairs(services), media_type="application/x-ndjson", headers=headers)
