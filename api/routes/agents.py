"""Who answers: the agents, the tools and the documents that a catalog may name."""

from typing import Annotated

from fastapi import APIRouter

from api import agents as installation
from api.agent_models import Agents, Tools
from api.errors import errors
from api.permission import Access, Ground, may
from api.services import Served

router = APIRouter(tags=["catalogs"])
Reads = Annotated[Access, may("catalogs.validate", Ground.SOME_BOARDS)]


@router.get("/agents", responses=errors(503))
async def list_agents(services: Served, access: Reads) -> Agents:
    """List the agents and the collections of documents that rows may name."""
    with_use = services.access_policy.decide(access.principal, "feedback.read").allow
    return await installation.agents(services, with_use=with_use)


@router.get("/tools", responses=errors(503), dependencies=[may("catalogs.validate", Ground.SOME_BOARDS)])
async def list_tools(services: Served) -> Tools:
    """List the programs that models may have run, and what the policy says of a row's first call of each."""
    return await installation.tools(services)
