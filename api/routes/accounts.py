"""Users, for administrators."""

from fastapi import APIRouter

from activities.identity.contracts import AccountConflict, User
from api.account_models import TokenBody, TokenMade, Tokens, UserBody, UserChange, UserInvited, Users
from api.errors import errors
from api.models import Accepted
from api.permission import may
from api.routes.auth import token_made
from api.services import Served, Services
from workers.identity import login_link

router = APIRouter(prefix="/users", tags=["users"], dependencies=[may("users.manage")])


@router.get("", responses=errors(503))
async def list_users(services: Served) -> Users:
    """List users with their roles and grants."""
    return Users(users=await services.identity.users.all())


@router.post("", status_code=201, responses=errors(409, 422, 503))
async def create_user(body: UserBody, services: Served) -> UserInvited:
    """Create a user; the answer's link lets them in once, to choose a password. A service account gets tokens."""
    user = await services.identity.users.create(body.name, body.roles, body.boards, service=body.service)
    return UserInvited(user=user) if user.service else await _invited(services, user)


@router.patch("/{name}", responses=errors(404, 409, 422, 503))
async def change_user(name: str, body: UserChange, services: Served) -> User:
    """Change roles and grants, disable or enable. It holds from the user's next request on."""
    return await services.identity.users.change(name, roles=body.roles, boards=body.boards, disabled=body.disabled)


@router.post("/{name}/reset", responses=errors(404, 409, 422, 503))
async def reset_password(name: str, services: Served) -> UserInvited:
    """Make a one-time link by which a user chooses a new password; the old one and their sessions end."""
    user = await services.identity.users.get(name)
    if user.disabled:
        raise AccountConflict(f"{name} is disabled; enable the user first", user=name)
    if user.service:
        raise AccountConflict(f"{name} is a service account: nobody logs in to it", user=name)
    # A password that is reset may be known to others: it does not count until the new one is chosen.
    await services.identity.users.set_password(name, None)
    return await _invited(services, await services.identity.users.get(name))


@router.get("/{name}/tokens", responses=errors(404, 409, 422, 503))
async def list_tokens(name: str, services: Served) -> Tokens:
    """List the tokens of a service account; their secrets are not kept."""
    return Tokens(tokens=await services.identity.tokens.of(await _program(services, name)))


@router.post("/{name}/tokens", status_code=201, responses=errors(400, 404, 409, 422, 503))
async def create_token(name: str, body: TokenBody, services: Served) -> TokenMade:
    """Make a token of a service account. It does what the account may, within its scopes."""
    return await token_made(services, await _program(services, name), body)


@router.delete("/{name}/tokens/{token}", responses=errors(404, 409, 422, 503))
async def revoke_token(name: str, token: str, services: Served) -> Accepted:
    """Revoke a token of a service account."""
    await services.identity.tokens.revoke(await _program(services, name), token)
    return Accepted()


async def _program(services: Services, name: str) -> str:
    if not (await services.identity.users.get(name)).service:
        raise AccountConflict(f"{name} is no service account: people make and see their own tokens", user=name)
    return name


async def _invited(services: Services, user: User) -> UserInvited:
    link = await services.identity.links.create(user.name)
    return UserInvited(user=user, link=login_link(services.settings.console_url, link))
