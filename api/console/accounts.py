"""One's own account, and the users of the installation for administrators."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from activities.identity.contracts import Role
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Owner = Annotated[Access, may("account.manage")]
Manages = Annotated[Access, may("users.manage")]


@router.get("/account")
async def account_page(services: Served, access: Owner) -> Response:
    """Show one's sessions and tokens, and how to change one's password."""
    principal = access.principal
    if not principal.personal:
        return RedirectResponse("/", status_code=303)
    return page(
        "account.html",
        account=account_of(access),
        principal=principal,
        sessions=await services.identity.sessions.of(principal.name),
        tokens=await services.identity.tokens.of(principal.name),
        # Accounts are managed in person: a token for that would be refused.
        scopes=sorted(services.access_policy.actions - {"account.manage"}),
    )


@router.get("/users")
async def users_page(services: Served, access: Manages) -> Response:
    """Show who has an account, and what they may do."""
    return page(
        "users.html",
        account=account_of(access),
        users=await services.identity.users.all(),
        roles=[role.value for role in Role],
        enforced=services.settings.auth == "on",
    )
