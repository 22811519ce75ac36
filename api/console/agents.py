"""The page of agents and of the tools that they call."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from api import agents as installation
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, Ground, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Reads = Annotated[Access, may("catalogs.validate", Ground.SOME_BOARDS)]


@router.get("/agents")
async def agents_page(services: Served, access: Reads) -> Response:
    """Show each agent with its words, tools, limits and what came of its work, and each tool with its policy."""
    with_use = services.access_policy.decide(access.principal, "feedback.read").allow
    found = await installation.agents(services, with_use=with_use)
    return page(
        "agents.html",
        account=account_of(access),
        agents=found.agents,
        knowledge=found.knowledge,
        tools=(await installation.tools(services)).tools,
    )
