"""The installation itself."""

from typing import Annotated

from fastapi import APIRouter

from api.errors import errors
from api.permission import Access, may
from api.services import Served
from api.system import system
from api.system_models import System

router = APIRouter(tags=["health"])

Sees = Annotated[Access, may("system.read")]


@router.get("/system", responses=errors(503))
async def get_system(services: Served, access: Sees) -> System:
    """Show task queues with their pollers and backlog, policies in force, spending; to administrators, settings."""
    with_settings = services.access_policy.decide(access.principal, "settings.read").allow
    return await system(services, with_settings=with_settings)
