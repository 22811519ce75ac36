"""The page of budgets."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from api.budgeting import may_allow
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

Sees = Annotated[Access, may("budgets.read")]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/budgets")
async def budgets_page(services: Served, access: Sees) -> Response:
    """Show what was spent of each budget, what waits for more, and where more is allowed."""
    last_event = await services.queries.last_event()
    budgets = await services.budgets.budgets()
    # Where rows wait, somebody is needed.
    budgets.sort(key=lambda view: not view.waiting)
    return page(
        "budgets.html",
        account=account_of(access),
        budgets=budgets,
        may_allow={(view.budget, view.period): may_allow(services, access.principal, view) for view in budgets},
        personal=access.principal.personal,
        limited=bool(services.settings.budgets),
        last_event=last_event,
    )
