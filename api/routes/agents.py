"""Who answers: the agents and the documents that a catalog may name."""

from fastapi import APIRouter

from api.agent_models import Agents, AgentView
from api.errors import errors
from api.permission import Ground, may
from api.services import Served
from workers.reflections import in_use

router = APIRouter(tags=["catalogs"])


@router.get("/agents", responses=errors(503), dependencies=[may("catalogs.validate", Ground.SOME_BOARDS)])
async def list_agents(services: Served) -> Agents:
    """List the agents and the collections of documents that rows may name."""
    found = await in_use(services.settings, services.stores.engine)
    views = [AgentView(agent=agent, digest=agent.digest) for _, agent in sorted(found["agents"].items())]
    return Agents(agents=views, knowledge=list(found["knowledge"]))
