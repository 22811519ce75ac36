"""API tokens for programs, and one-time login links for people."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from activities.audit.contracts import AuditKind
from activities.audit.log import append
from activities.identity.access import digest_of_secret
from activities.identity.audited import about_token, about_user
from activities.identity.contracts import (
    TOKEN_PREFIX,
    ApiToken,
    InvalidCredentials,
    NoSuchAccount,
    Principal,
    Role,
    Via,
)
from activities.identity.sessions import NOTED_EVERY
from activities.identity.tables import ApiTokenRow, LoginLinkRow, UserRow
from activities.identity.users import grants_of
from activities.records.database import timestamp
from activities.records.transactions import Transactions

_TOKENS = ApiTokenRow.__table__  # type: ignore[attr-defined]
_LINKS = LoginLinkRow.__table__  # type: ignore[attr-defined]
_USERS = UserRow.__table__  # type: ignore[attr-defined]

LINK_LIFETIME: Final = timedelta(hours=24)


class SqlApiTokens:
    """API tokens in the records database; of each only its SHA-256 is kept."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def create(self, user: str, title: str, scopes: Sequence[str], days: int) -> tuple[ApiToken, str]:
        """Create a token; return it and its secret, which nobody can read again.

        Args:
            user: In whose name it acts; it can never do more than they can.
            title: What it is for.
            scopes: The actions it is limited to.
            days: How long it is good.
        """
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        token = ApiToken(
            id=secrets.token_hex(8),
            user=user,
            title=title,
            scopes=tuple(sorted(set(scopes))),
            created_at=timestamp(now),
            expires_at=timestamp(now + timedelta(days=days)),
        )
        values = token.model_dump(mode="json") | {"digest": digest_of_secret(secret)}

        def work(connection: Connection) -> None:
            connection.execute(insert(_TOKENS).values(values))
            append(connection, about_token(AuditKind.TOKEN_CREATED, user, token.id, title, token.scopes))

        await self._transactions.run(work)
        return token, secret

    async def of(self, user: str) -> list[ApiToken]:
        """Return a user's tokens that are not revoked, newest first."""
        mine = (_TOKENS.c.user == user) & _TOKENS.c.revoked_at.is_(None)
        statement = select(_TOKENS).where(mine).order_by(_TOKENS.c.created_at.desc())
        rows = await self._transactions.run(lambda connection: connection.execute(statement).all())
        return [_read(row) for row in rows]

    async def revoke(self, user: str, token: str) -> None:
        """Revoke one of a user's tokens.

        Raises:
            NoSuchAccount: They have no such token.
        """
        mine = (_TOKENS.c.id == token) & (_TOKENS.c.user == user) & _TOKENS.c.revoked_at.is_(None)
        statement = update(_TOKENS).where(mine).values(revoked_at=timestamp())

        def work(connection: Connection) -> int:
            ended = connection.execute(statement).rowcount
            return append(connection, about_token(AuditKind.TOKEN_REVOKED, user, token)) if ended else 0

        if not await self._transactions.run(work):
            raise NoSuchAccount(f"you have no token {token}", token=token)

    async def principal(self, secret: str) -> Principal | None:
        """Return who a token acts for; ``None`` when it is not good or its user is disabled."""
        statement = (
            select(_TOKENS, _USERS.c.roles)
            .select_from(_TOKENS.join(_USERS, _USERS.c.name == _TOKENS.c.user))
            .where(
                _TOKENS.c.digest == digest_of_secret(secret),
                _TOKENS.c.revoked_at.is_(None),
                _TOKENS.c.expires_at > timestamp(),
                _USERS.c.disabled.is_(False),
            )
        )

        def work(connection: Connection) -> Principal | None:
            row = connection.execute(statement).first()
            if row is None:
                return None
            if row.used_at is None or row.used_at < timestamp(datetime.now(UTC) - NOTED_EVERY):
                connection.execute(update(_TOKENS).where(_TOKENS.c.id == row.id).values(used_at=timestamp()))
            return Principal(
                name=row.user,
                roles=tuple(Role(role) for role in row.roles),
                boards=grants_of(connection, row.user),
                scopes=tuple(row.scopes),
                via=Via.TOKEN,
            )

        return await self._transactions.run(work)


class SqlLoginLinks:
    """One-time login links; a new one makes the user's older ones useless."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def create(self, user: str) -> str:
        """Return the secret of a link that is good once, for a day."""
        secret = secrets.token_urlsafe(32)
        expires = timestamp(datetime.now(UTC) + LINK_LIFETIME)

        def work(connection: Connection) -> None:
            connection.execute(delete(_LINKS).where(_LINKS.c.user == user))
            connection.execute(insert(_LINKS).values(digest=digest_of_secret(secret), user=user, expires_at=expires))
            append(connection, about_user(AuditKind.LOGIN_LINK_CREATED, user))

        await self._transactions.run(work)
        return secret

    async def redeem(self, secret: str) -> str:
        """Use a link up and return its user.

        Raises:
            InvalidCredentials: It is none of ours, was used, has expired, or its user is disabled.
        """
        digest = digest_of_secret(secret)

        def work(connection: Connection) -> str | None:
            good = (_LINKS.c.digest == digest) & _LINKS.c.used_at.is_(None) & (_LINKS.c.expires_at > timestamp())
            if connection.execute(update(_LINKS).where(good).values(used_at=timestamp())).rowcount != 1:
                return None
            owner = select(_USERS.c.name).join(_LINKS, _LINKS.c.user == _USERS.c.name)
            user = connection.scalar(owner.where(_LINKS.c.digest == digest, _USERS.c.disabled.is_(False)))
            if user is not None:
                append(connection, about_user(AuditKind.LOGIN_LINK_REDEEMED, user, actor=user))
            return user

        user = await self._transactions.run(work)
        if user is None:
            raise InvalidCredentials("this login link is not valid any more; ask an administrator for another")
        return user


def _read(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        user=row.user,
        title=row.title,
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
