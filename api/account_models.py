"""Bodies of HTTP requests and answers about accounts."""

from typing import Annotated

from pydantic import BaseModel, Field

from activities.identity.contracts import ApiToken, BoardGrant, Password, Principal, Role, Session, User, UserName, Via
from api.models import Body

# Longer than any secret of ours; what is longer is not looked at.
Secret = Annotated[str, Field(min_length=1, max_length=512)]
Roles = Annotated[list[Role], Field(max_length=len(Role))]
Boards = Annotated[list[BoardGrant], Field(max_length=500)]


class LoginBody(Body):
    """A name and its password."""

    user: str = Field(max_length=200)
    # Not the type of a new password: a wrong one is wrong, not malformed.
    password: str = Field(max_length=512)


class RedeemBody(Body):
    """A one-time link, and the password that counts from now on."""

    link: Secret
    password: Password


class RefreshBody(Body):
    """A refresh token, to be spent."""

    refresh_token: Secret


class PasswordBody(Body):
    """One's own password, before and after."""

    current: str = Field(max_length=512)
    new: Password


class TokenBody(Body):
    """A token to be made.

    Args:
        title: What it is for.
        scopes: The actions it is limited to.
        days: How long it is good.
    """

    title: str = Field(min_length=1, max_length=200)
    scopes: list[str] = Field(min_length=1, max_length=50)
    days: int = Field(default=90, ge=1, le=366)


class UserBody(Body):
    """A user to be created; their way in is the one-time link of the answer.

    Args:
        service: The account is a program's: nobody logs in to it, and tokens are made for it.
    """

    name: UserName
    roles: Roles = Field(default_factory=list)
    boards: Boards = Field(default_factory=list)
    service: bool = False


class UserChange(Body):
    """What changes of a user; what is left out stays. ``boards`` replaces all their grants."""

    roles: Roles | None = None
    boards: Boards | None = None
    disabled: bool | None = None


class Me(BaseModel):
    """Who asks."""

    name: str
    roles: list[Role]
    boards: list[BoardGrant]
    scopes: list[str] | None = None
    via: Via
    session: str = ""

    @classmethod
    def of(cls, principal: Principal) -> "Me":
        """Return what a principal may know about itself."""
        return cls.model_validate(principal.model_dump())


class Sessions(BaseModel):
    """One's open sessions."""

    sessions: list[Session]


class Tokens(BaseModel):
    """One's tokens, without their secrets."""

    tokens: list[ApiToken]


class TokenMade(BaseModel):
    """A new token; ``secret`` is shown now and never again."""

    token: ApiToken
    secret: str


class Users(BaseModel):
    """All users by name."""

    users: list[User]


class UserInvited(BaseModel):
    """A user and the link that lets them in once, within a day, to choose a password; a program has none."""

    user: User
    link: str = ""
