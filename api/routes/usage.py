"""Usage of models."""

from typing import Annotated

from fastapi import APIRouter, Query

from activities.analytics.contracts import Usage
from activities.analytics.usage import usage
from api.errors import errors
from api.permission import SEES_SYSTEM
from api.services import Served

router = APIRouter(prefix="/usage", tags=["system"])

Days = Annotated[int, Query(ge=1, le=366, description="How many days, today included; up to two by the hour.")]


@router.get("", responses=errors(422, 503), dependencies=[SEES_SYSTEM])
async def show_usage(services: Served, days: Days = 30) -> Usage:
    """Show calls, tokens, spend, latency, cache and local share of the last days, and what failed."""
    return await usage(services.stores.engine, days)
