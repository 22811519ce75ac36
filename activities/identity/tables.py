"""Tables of the accounts, in the records database. Of a secret only its hash or digest is kept."""

from sqlalchemy import JSON, Column, false
from sqlmodel import Field, SQLModel


class UserRow(SQLModel, table=True):
    """A user, or with ``service`` a program. ``password`` is an argon2id hash, null until one is set."""

    __tablename__ = "users"

    name: str = Field(primary_key=True)
    password: str | None = None
    roles: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    disabled: bool = False
    service: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: str


class ExternalIdentityRow(SQLModel, table=True):
    """Who a user is at an identity provider, by the provider's own name for them."""

    __tablename__ = "external_identities"

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    user: str
    created_at: str


class GrantRow(SQLModel, table=True):
    """A user's role on one board."""

    __tablename__ = "board_grants"

    user: str = Field(primary_key=True)
    board: str = Field(primary_key=True)
    role: str = Field(primary_key=True)


class SessionRow(SQLModel, table=True):
    """A session. A browser's is found by the digest of its cookie, a program's by its id in the access token."""

    __tablename__ = "sessions"

    id: str = Field(primary_key=True)
    user: str = Field(index=True)
    via: str
    cookie: str | None = Field(default=None, unique=True)
    address: str = ""
    agent: str = ""
    created_at: str
    used_at: str
    expires_at: str
    revoked_at: str | None = None


class RefreshRow(SQLModel, table=True):
    """A refresh token; spent ones stay, so that one that comes again is known."""

    __tablename__ = "refresh_tokens"

    digest: str = Field(primary_key=True)
    session: str = Field(index=True)
    spent_at: str | None = None


class ApiTokenRow(SQLModel, table=True):
    """A token of a program."""

    __tablename__ = "api_tokens"

    id: str = Field(primary_key=True)
    user: str = Field(index=True)
    title: str
    digest: str = Field(unique=True)
    scopes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    created_at: str
    expires_at: str
    used_at: str | None = None
    revoked_at: str | None = None


class LoginLinkRow(SQLModel, table=True):
    """A link that logs its user in once and lets them choose a password."""

    __tablename__ = "login_links"

    digest: str = Field(primary_key=True)
    user: str = Field(index=True)
    expires_at: str
    used_at: str | None = None
