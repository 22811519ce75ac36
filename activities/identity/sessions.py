"""Sessions: logins that last, can be seen and can be ended."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from activities.audit.contracts import NOBODY, AuditKind
from activities.audit.log import append
from activities.identity.access import digest_of_secret
from activities.identity.audited import about_session
from activities.identity.contracts import (
    Caller,
    InvalidCredentials,
    NoSuchAccount,
    Principal,
    Role,
    Session,
    TokenReused,
    Via,
)
from activities.identity.tables import RefreshRow, SessionRow, UserRow
from activities.identity.users import grants_of
from activities.records.database import timestamp
from activities.records.transactions import Transactions

_SESSIONS = SessionRow.__table__  # type: ignore[attr-defined]
_REFRESH = RefreshRow.__table__  # type: ignore[attr-defined]
_USERS = UserRow.__table__  # type: ignore[attr-defined]

LIFETIME: Final = {Via.SESSION: timedelta(days=30), Via.COOKIE: timedelta(hours=12)}
# When a session was used is told to the minute: not every request has to write.
NOTED_EVERY: Final = timedelta(minutes=1)


class SqlSessions:
    """Sessions in the records database."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def open(self, user: str, via: Via, caller: Caller) -> tuple[str, str]:
        """Open a session; return its id and its secret: a refresh token, or a browser's cookie."""
        identity, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        row = {
            "id": identity,
            "user": user,
            "via": via.value,
            "cookie": digest_of_secret(secret) if via is Via.COOKIE else None,
            "address": caller.address,
            "agent": caller.agent,
            "created_at": timestamp(now),
            "used_at": timestamp(now),
            "expires_at": timestamp(now + LIFETIME[via]),
        }

        def work(connection: Connection) -> None:
            connection.execute(insert(_SESSIONS).values(row))
            if via is Via.SESSION:
                connection.execute(insert(_REFRESH).values(digest=digest_of_secret(secret), session=identity))
            append(connection, about_session(AuditKind.LOGIN_SUCCEEDED, user, identity, user, caller))

        await self._transactions.run(work)
        return identity, secret

    async def rotate(self, refresh_token: str) -> tuple[str, str, str]:
        """Spend a refresh token; return user, session and the next refresh token.

        Raises:
            InvalidCredentials: It is none of ours, or its session has ended.
            TokenReused: It was spent before; the session ends.
        """
        digest, following = digest_of_secret(refresh_token), secrets.token_urlsafe(32)

        def work(connection: Connection) -> tuple[str, str] | str | None:
            known = connection.scalar(select(_REFRESH.c.session).where(_REFRESH.c.digest == digest))
            if known is None:
                return None
            unspent = (_REFRESH.c.digest == digest) & _REFRESH.c.spent_at.is_(None)
            # Whoever changes the row has spent the token; of two at once, only one does.
            if connection.execute(update(_REFRESH).where(unspent).values(spent_at=timestamp())).rowcount != 1:
                connection.execute(
                    update(_SESSIONS)
                    .where(_SESSIONS.c.id == known, _SESSIONS.c.revoked_at.is_(None))
                    .values(revoked_at=timestamp())
                )
                owner = str(connection.scalar(select(_SESSIONS.c.user).where(_SESSIONS.c.id == known)))
                append(connection, about_session(AuditKind.SESSION_REUSED, owner, str(known), NOBODY))
                return str(known)
            row = connection.execute(_open_sessions().where(_SESSIONS.c.id == known)).first()
            if row is None:
                return None
            connection.execute(insert(_REFRESH).values(digest=digest_of_secret(following), session=known))
            connection.execute(update(_SESSIONS).where(_SESSIONS.c.id == known).values(used_at=timestamp()))
            return row.user, str(known)

        # Raised outside: an error within would take back that the session was revoked.
        rotated = await self._transactions.run(work)
        if rotated is None:
            raise InvalidCredentials("the refresh token is not valid; log in again")
        if isinstance(rotated, str):
            raise TokenReused("this refresh token was used before; its session is over, log in again", session=rotated)
        return *rotated, following

    async def principal(self, *, session: str = "", cookie: str = "") -> Principal | None:
        """Return who a session belongs to; ``None`` when it has ended or its user is disabled."""
        here = _SESSIONS.c.cookie == digest_of_secret(cookie) if cookie else _SESSIONS.c.id == session

        def work(connection: Connection) -> Principal | None:
            row = connection.execute(_open_sessions().where(here, _is_of(cookie))).first()
            if row is None:
                return None
            noted = timestamp(datetime.now(UTC) - NOTED_EVERY)
            if row.used_at < noted:
                connection.execute(update(_SESSIONS).where(_SESSIONS.c.id == row.id).values(used_at=timestamp()))
            return Principal(
                name=row.user,
                roles=tuple(Role(role) for role in row.roles),
                boards=grants_of(connection, row.user),
                via=Via(row.via),
                session=row.id,
            )

        return await self._transactions.run(work)

    async def of(self, user: str) -> list[Session]:
        """Return a user's open sessions, the last used first."""
        statement = _open_sessions().where(_SESSIONS.c.user == user).order_by(_SESSIONS.c.used_at.desc())
        rows = await self._transactions.run(lambda connection: connection.execute(statement).all())
        return [_read(row) for row in rows]

    async def revoke(self, user: str, session: str) -> None:
        """End one of a user's sessions.

        Raises:
            NoSuchAccount: They have no such session.
        """
        open_ = (_SESSIONS.c.id == session) & (_SESSIONS.c.user == user) & _SESSIONS.c.revoked_at.is_(None)
        statement = update(_SESSIONS).where(open_).values(revoked_at=timestamp())

        def work(connection: Connection) -> int:
            ended = connection.execute(statement).rowcount
            return append(connection, about_session(AuditKind.SESSION_REVOKED, user, session)) if ended else 0

        if not await self._transactions.run(work):
            raise NoSuchAccount(f"you have no open session {session}", session=session)


def _open_sessions() -> Any:  # noqa: ANN401 -- a Select of a dozen columns
    """Return the query of sessions that hold: not revoked, not expired, their user not disabled."""
    joined = _SESSIONS.join(_USERS, _USERS.c.name == _SESSIONS.c.user)
    return (
        select(_SESSIONS, _USERS.c.roles)
        .select_from(joined)
        .where(_SESSIONS.c.revoked_at.is_(None), _SESSIONS.c.expires_at > timestamp(), _USERS.c.disabled.is_(False))
    )


def _is_of(cookie: str) -> ColumnElement[bool]:
    """A browser's session is reached by its cookie only, a program's by its access token only."""
    is_cookie: ColumnElement[bool] = _SESSIONS.c.via == Via.COOKIE.value
    return is_cookie if cookie else ~is_cookie


def _read(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        user=row.user,
        via=Via(row.via),
        address=row.address,
        agent=row.agent,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )
