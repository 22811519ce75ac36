"""The pages of scans: which there were, and what one found."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from activities.scans.folder_contracts import Severity
from api import scanning
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Reads = Annotated[Access, may("scans.read")]
WORST_FIRST = tuple(reversed(Severity))


@router.get("/scans")
async def scans_page(services: Served, access: Reads) -> Response:
    """Show the last scans of every folder."""
    found = await scanning.scans(services)
    return page(
        "scans.html",
        account=account_of(access),
        scans=found.scans,
        folders=found.folders,
        every=services.settings.scan_every_hours,
        severities=WORST_FIRST,
        starts=services.access_policy.decide(access.principal, "scans.start").allow,
    )


@router.get("/scans/{scan}")
async def scan_page(scan: str, services: Served, access: Reads) -> Response:
    """Show what a scan found."""
    found = await scanning.scan(services, scan)
    return page(
        "scan.html",
        account=account_of(access),
        scan=found.scan,
        findings=[one for one in found.findings if not one.suppressed],
        suppressed=[one for one in found.findings if one.suppressed],
        expired=found.expired,
        severities=WORST_FIRST,
    )
