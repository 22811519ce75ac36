"""Whether the process serves, whether what it needs answers, and metrics."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from api import caching
from api.errors import errors
from api.models import Health
from api.permission import SEES_SYSTEM
from api.services import Served, Services
from temporal.errors import PrismError

router = APIRouter(tags=["health"])

PROBE_SECONDS = 2.0
RUNS = Gauge("prism_runs", "Runs by state", ["state"])
ROWS = Gauge("prism_rows", "Rows by state", ["state"])
CACHE = Gauge("prism_answers", "Model calls by what answered them since the gateway started", ["by"])
SAVED = Gauge("prism_answers_saved_usd", "What those that no model was asked for would have cost")
FAULTS = Gauge("prism_cache_faults", "How often what gateways share could not be used since the gateway started")


@router.get("/healthz", responses=errors())
async def healthz() -> Health:
    """Say that this process serves."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "Something does not answer"}, **errors()})
async def readyz(services: Served) -> Response:
    """Say whether Temporal and the records database answer."""
    temporal, records = await asyncio.gather(_temporal(services), _records(services))
    parts = {"temporal": temporal, "records": records}
    ready = set(parts.values()) == {"ok"}
    body = Health(status="ok" if ready else "unavailable", parts=parts)
    return JSONResponse(body.model_dump(), status_code=200 if ready else 503)


@router.get(
    "/metrics",
    dependencies=[SEES_SYSTEM],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors(503)},
)
async def metrics(services: Served) -> Response:
    """Prometheus metrics of this process, how many runs and rows are in which state, and what the cache saved."""
    counts = await services.queries.counts_by_state()
    for gauge, states in ((RUNS, counts["runs"]), (ROWS, counts["rows"])):
        gauge.clear()
        for state, count in states.items():
            gauge.labels(state).set(count)
    if cached := (await caching.cache(services)).counts:
        for by in ("near", "shared", "joined", "semantic", "missed"):
            CACHE.labels(by).set(getattr(cached, by))
        SAVED.set(cached.saved_usd)
        FAULTS.set(cached.faults)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _temporal(services: Services) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return "ok" if await services.temporal.service_client.check_health() else "unavailable"
    except (TimeoutError, RPCError, RuntimeError):
        return "unavailable"


async def _records(services: Services) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await services.queries.ping()
    except (TimeoutError, PrismError):
        return "unavailable"
    return "ok"
