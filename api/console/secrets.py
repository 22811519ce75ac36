"""The page of secrets: which there are and how old, and new values for them; values themselves are nowhere."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Reads = Annotated[Access, may("secrets.read")]


@router.get("/secrets")
async def secrets_page(services: Served, access: Reads) -> Response:
    """Show names, versions, ages and what is due."""
    terms = services.secrets.terms
    return page(
        "secrets.html",
        account=account_of(access),
        secrets=await services.secrets.ages(),
        writes=services.access_policy.decide(access.principal, "secrets.write").allow,
        every=terms.every.days if terms.every else 0,
        overlap=terms.overlap.days,
        store=services.settings.vault_url or "an encrypted file",
    )
