"""The page of quality: how good agents, models, prompt versions and boards are by what people think of outputs."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.feedback.contracts import Dimension
from api import rating, reflecting
from api.console.reflections import known_agents
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Sees = Annotated[Access, may("feedback.read")]
TITLES: Final = {
    Dimension.AGENT: "Agents",
    Dimension.MODEL: "Models",
    Dimension.PROMPT: "Prompt versions",
    Dimension.BOARD: "Boards",
}
PERIODS: Final = (7, 30, 90)
SHOWN: Final = 20


@router.get("/feedback")
async def feedback_page(
    services: Served, access: Sees, days: Annotated[int | None, Query(ge=1, le=3660)] = None
) -> Response:
    """Show scores with their intervals."""
    found = [(title, (await rating.scores(services, by, days)).scores) for by, title in TITLES.items()]
    exports = services.access_policy.decide(access.principal, "feedback.export").allow
    reflects = services.access_policy.decide(access.principal, "feedback.reflect").allow
    return page(
        "feedback.html",
        account=account_of(access),
        boards=[(title, scores[:SHOWN], len(scores)) for title, scores in found if scores],
        exports=exports,
        datasets=(await rating.datasets(services)).datasets if exports else [],
        agents=await known_agents(services) if reflects else frozenset(),
        reflections=(await reflecting.reflections(services)).reflections[:SHOWN],
        periods=PERIODS,
        days=days,
    )
