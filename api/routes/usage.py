"""Usage of models, and what kept them from answering."""

from typing import Annotated

from fastapi import APIRouter, Query

from activities.analytics.contracts import Failovers, Usage
from activities.analytics.failovers import NEWEST, failovers
from api.errors import errors
from api.permission import SEES_SYSTEM
from api.services import Served
from api.using import used

router = APIRouter(prefix="/usage", tags=["system"])

Days = Annotated[int, Query(ge=1, le=366, description="How many days, today included; up to two by the hour.")]
Back = Annotated[int, Query(ge=1, le=366, description="How many days back from now.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("", responses=errors(422, 503), dependencies=[SEES_SYSTEM])
async def show_usage(services: Served, days: Days = 30) -> Usage:
    """Show calls, tokens, spend, latency, cache and local share of the last days, and what failed."""
    return await used(services, days)


@router.get("/failovers", responses=errors(422, 503), dependencies=[SEES_SYSTEM])
async def show_failovers(services: Served, days: Back = 30, limit: Limit = NEWEST) -> Failovers:
    """Show requests that deployments failed, where their calls went next, and circuits, the newest first."""
    return await failovers(services.stores.engine, days, limit)
