"""The cache of model answers."""

from fastapi import APIRouter

from api import caching
from api.cache_models import CacheView
from api.errors import errors
from api.permission import SEES_SYSTEM, may
from api.services import Served

router = APIRouter(prefix="/cache", tags=["cache"])

CLEARS = may("cache.clear")


@router.get("", responses=errors(422, 503), dependencies=[SEES_SYSTEM])
async def get_cache(services: Served) -> CacheView:
    """Show how the cache of answers is set up, and what the gateway did with it since it started."""
    return await caching.cache(services)


@router.delete("", responses=errors(422, 503), dependencies=[CLEARS])
async def clear_cache(services: Served) -> CacheView:
    """Have all answers forgotten. Other gateways forget their own copies within five minutes."""
    return await caching.clear(services)
