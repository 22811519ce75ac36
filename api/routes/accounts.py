"""Users, for administrators."""

from fastapi import APIRouter

from activities.identity.contracts import AccountConflict, User
from api.account_models import UserBody, UserChange, UserInvited, Users
from api.errors import errors
from api.permission import may
from api.services import Served, Services
from workers.identity import login_link

router = APIRouter(prefix="/users", tags=["users"], dependencies=[may("users.manage")])


@router.get("", responses=errors(503))
async def list_users(services: Served) -> Users:
    """List users with their roles and grants."""
    return Users(users=await services.identity.users.all())


@router.post("", status_code=201, responses=errors(409, 422, 503))
async def create_user(body: UserBody, services: Served) -> UserInvited:
    """Create a user; the answer's link lets them in once, to choose a password."""
    user = await services.identity.users.create(body.name, body.roles, body.boards)
    return await _invited(services, user)


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
    # A password that is reset may be known to others: it does not count until the new one is chosen.
    await services.identity.users.set_password(name, None)
    return await _invited(services, await services.identity.users.get(name))


async def _invited(services: Services, user: User) -> UserInvited:
    link = await services.identity.links.create(user.name)
    return UserInvited(user=user, link=login_link(services.settings.console_url, link))
