"""The page of the installation itself."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served
from api.system import SERVES, system

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Sees = Annotated[Access, may("system.read")]


@router.get("/system")
async def system_page(services: Served, access: Sees) -> Response:
    """Show who serves what, which policies hold, what it costs, and how it is set up."""
    with_settings = services.access_policy.decide(access.principal, "settings.read").allow
    found = await system(services, with_settings=with_settings)
    return page(
        "system.html",
        account=account_of(access),
        system=found,
        serves=SERVES,
        spent={name: sum(getattr(one, name) for one in found.spend) for name in ("day", "week", "month")},
        scans=services.access_policy.decide(access.principal, "scans.read").allow,
        secrets=services.access_policy.decide(access.principal, "secrets.read").allow,
        clears=services.access_policy.decide(access.principal, "cache.clear").allow,
        temporal_url=services.settings.web_url,
    )
