"""Users, what they may do where, and the proofs by which they are known."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field, StringConstraints

from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

UserName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@-]{0,62}$")]
BoardName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# NIST SP 800-63B: length is what counts; the upper limit keeps hashing from being a way to load the processor.
Password = Annotated[str, StringConstraints(min_length=12, max_length=256)]


# A fixed start lets secret scanners find an API token that was published by mistake.
TOKEN_PREFIX: Final = "prism_"  # noqa: S105 -- no secret


# The administrator that an installation makes for itself.
FIRST_USER: Final = "admin"


class Role(StrEnum):
    """What somebody does here; ``policies/authz/data.json`` says which actions that takes."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Via(StrEnum):
    """How a request proved who sends it."""

    LOCAL = "local"
    SERVICE = "service"
    SESSION = "session"
    COOKIE = "cookie"
    TOKEN = "token"  # noqa: S105 -- a name, no secret


class Forbidden(PrismError):
    """Somebody who is known may not do this."""

    code: ClassVar[ErrorCode] = ErrorCode.FORBIDDEN


class Unauthenticated(PrismError):
    """Nobody proved who they are."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAUTHENTICATED


class InvalidCredentials(PrismError):
    """The name, the password, the link or the token is wrong; it is never said which."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_CREDENTIALS


class TokenReused(PrismError):
    """A refresh token came a second time: somebody has a copy, so its session is over for both."""

    code: ClassVar[ErrorCode] = ErrorCode.TOKEN_REUSED


class TooManyRequests(PrismError):
    """Asked too often; ``retry_after`` seconds from now it is taken again."""

    code: ClassVar[ErrorCode] = ErrorCode.TOO_MANY_REQUESTS
    retryable = True

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after


class NoSuchAccount(PrismError):
    """There is no such user, session or token."""

    code: ClassVar[ErrorCode] = ErrorCode.NOT_FOUND


class AccountConflict(PrismError):
    """The change does not fit how the accounts are now."""

    code: ClassVar[ErrorCode] = ErrorCode.CONFLICT


class SecretUnusable(PrismError):
    """The file of the signing secret cannot be used."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_SETTINGS


class BoardGrant(Contract):
    """A role on one board only."""

    board: BoardName
    role: Role


class User(Contract):
    """A person or a program with an account.

    Args:
        roles: What they do on every board.
        boards: What they do on single boards.
        has_password: Whether they have set one; before, a one-time link is the only way in.
        service: It is a program's: nobody logs in to it, and administrators make its tokens.
        via_provider: Whether they sign in through the OpenID Connect provider.
    """

    name: str
    roles: tuple[Role, ...] = ()
    boards: tuple[BoardGrant, ...] = ()
    disabled: bool = False
    has_password: bool = False
    service: bool = False
    via_provider: bool = False
    created_at: str

    @property
    def state(self) -> str:
        """How they get in, in a word for people."""
        if self.disabled:
            return "disabled"
        if self.service:
            return "service"
        if self.via_provider:
            return "OIDC"
        return "active" if self.has_password else "invited"


class Session(Contract):
    """Somebody who is logged in somewhere."""

    id: str
    user: str
    via: Via
    address: str = ""
    agent: str = ""
    created_at: str
    used_at: str
    expires_at: str


class ApiToken(Contract):
    """A token for a program; its secret is shown once, when it is made."""

    id: str
    user: str
    title: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str
    used_at: str | None = None


class Principal(Contract):
    """Who sends a request.

    Args:
        name: The user's name, or ``local``, or ``service``.
        roles: Roles on every board.
        scopes: Actions a token is limited to; ``None`` where there is no such limit.
        boards: Roles on single boards.
        via: How they proved it.
        session: Their session, where they have one.
    """

    name: str
    roles: tuple[Role, ...] = ()
    scopes: tuple[str, ...] | None = None
    boards: tuple[BoardGrant, ...] = ()
    via: Via
    session: str = ""

    @property
    def personal(self) -> bool:
        """Whether this is one known person, who cannot act in another one's name."""
        return self.via not in {Via.LOCAL, Via.SERVICE}

    def acting_as(self, claimed: str) -> str:
        """Return the name to record for what this principal does.

        Args:
            claimed: The name that a request's body gives; empty for none.

        Raises:
            Forbidden: A person claims to be another one.
        """
        if self.personal and claimed not in {"", self.name}:
            raise Forbidden(f"you are {self.name} and cannot act as somebody else; leave the name out")
        return claimed or self.name


class Caller(Contract):
    """Where a login comes from, for throttling and for the list of sessions."""

    address: str = ""
    agent: str = Field(default="", max_length=200)


class LoggedIn(Contract):
    """What a login gives; ``refresh_token`` is good for one refresh."""

    user: User
    session: str
    access_token: str
    expires_in: int
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 -- a scheme's name


class BrowserLogin(Contract):
    """What a login of a browser gives: the value of its cookie."""

    user: User
    session: str
    cookie: str
    max_age: int
