"""One's own account: log in, stay logged in, log out; sessions, tokens and password."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from activities.identity.contracts import AccountConflict, Caller, LoggedIn
from api.account_models import LoginBody, Me, PasswordBody, RedeemBody, RefreshBody, Sessions, TokenBody, TokenMade
from api.account_models import Tokens as TokenList
from api.errors import BadRequest, errors
from api.identification import COOKIE
from api.models import Accepted
from api.permission import Access, may
from api.services import Served, Services

router = APIRouter(prefix="/auth", tags=["account"])

Known = Annotated[Access, may("account.read")]
Owner = Annotated[Access, may("account.manage")]


@router.post("/login", responses=errors(422, 503))
async def login(body: LoginBody, request: Request, services: Served) -> LoggedIn:
    """Log in: the access token is good for fifteen minutes, the refresh token for one refresh."""
    return await services.identity.login(body.user, body.password, caller(request))


@router.post("/redeem", responses=errors(422, 503))
async def redeem(body: RedeemBody, request: Request, services: Served) -> LoggedIn:
    """Log in by a one-time link and set one's password; sessions that were open end."""
    return await services.identity.redeem(body.link, body.password, caller(request))


@router.post("/refresh", responses=errors(422, 503))
async def refresh(body: RefreshBody, services: Served) -> LoggedIn:
    """Spend a refresh token for new tokens. One that was spent before ends its session."""
    return await services.identity.refresh(body.refresh_token)


@router.post("/logout", responses=errors(409, 503))
async def logout(access: Owner, response: Response, services: Served) -> Accepted:
    """End one's session."""
    await services.identity.sessions.revoke(_account(access), access.principal.session)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return Accepted()


@router.get("/me", responses=errors(503))
async def me(access: Known) -> Me:
    """Say who asks and what they may do."""
    return Me.of(access.principal)


@router.post("/password", responses=errors(409, 422, 503))
async def change_password(body: PasswordBody, access: Owner, request: Request, services: Served) -> Accepted:
    """Change one's own password; one's other sessions end."""
    _account(access)
    await services.identity.change_password(access.principal, body.current, body.new, caller(request))
    return Accepted()


@router.get("/sessions", responses=errors(409, 503))
async def list_sessions(access: Owner, services: Served) -> Sessions:
    """List one's open sessions, the last used first."""
    return Sessions(sessions=await services.identity.sessions.of(_account(access)))


@router.delete("/sessions/{session}", responses=errors(404, 409, 422, 503))
async def revoke_session(session: str, access: Owner, services: Served) -> Accepted:
    """End one of one's sessions."""
    await services.identity.sessions.revoke(_account(access), session)
    return Accepted()


@router.get("/tokens", responses=errors(409, 503))
async def list_tokens(access: Owner, services: Served) -> TokenList:
    """List one's API tokens; their secrets are not kept."""
    return TokenList(tokens=await services.identity.tokens.of(_account(access)))


@router.post("/tokens", status_code=201, responses=errors(400, 409, 422, 503))
async def create_token(body: TokenBody, access: Owner, services: Served) -> TokenMade:
    """Make a token for a program. It acts in one's name, limited to its scopes, and never does more than oneself."""
    return await token_made(services, _account(access), body)


@router.delete("/tokens/{token}", responses=errors(404, 409, 422, 503))
async def revoke_token(token: str, access: Owner, services: Served) -> Accepted:
    """Revoke one of one's tokens."""
    await services.identity.tokens.revoke(_account(access), token)
    return Accepted()


async def token_made(services: Services, owner: str, body: TokenBody) -> TokenMade:
    """Make a token that acts in an owner's name.

    Raises:
        BadRequest: A scope is no action.
    """
    if unknown := sorted(set(body.scopes) - services.access_policy.actions):
        known = ", ".join(sorted(services.access_policy.actions))
        raise BadRequest(f"there is no scope {unknown[0]}; the scopes are {known}")
    token, secret = await services.identity.tokens.create(owner, body.title, body.scopes, body.days)
    return TokenMade(token=token, secret=secret)


def caller(request: Request) -> Caller:
    """Return where a login comes from."""
    address = request.client.host if request.client else ""
    return Caller(address=address, agent=request.headers.get("user-agent", "")[:200])


def _account(access: Access) -> str:
    if not access.principal.personal:
        raise AccountConflict("nobody is logged in: this is the installation itself; with PRISM_AUTH=on: prism login")
    return access.principal.name
