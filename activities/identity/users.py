"""The users: who there is and what they may do."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from activities.audit.contracts import AuditKind
from activities.audit.log import append
from activities.identity.audited import about_user, kept_administrator
from activities.identity.contracts import AccountConflict, BoardGrant, NoSuchAccount, Role, User
from activities.identity.tables import ExternalIdentityRow, GrantRow, LoginLinkRow, SessionRow, UserRow
from activities.records.database import timestamp
from activities.records.transactions import Transactions

_USERS = UserRow.__table__  # type: ignore[attr-defined]
_GRANTS = GrantRow.__table__  # type: ignore[attr-defined]
_SESSIONS = SessionRow.__table__  # type: ignore[attr-defined]
_LINKS = LoginLinkRow.__table__  # type: ignore[attr-defined]
_IDENTITIES = ExternalIdentityRow.__table__  # type: ignore[attr-defined]


class SqlUsers:
    """Users in the records database."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def create(
        self,
        name: str,
        roles: Sequence[Role],
        boards: Sequence[BoardGrant] = (),
        password: str | None = None,
        *,
        service: bool = False,
    ) -> User:
        """Create a user.

        Args:
            name: By which they log in; it is what the records say they did.
            roles: Roles on every board.
            boards: Roles on single boards.
            password: A hash; without one, a one-time link is their way in.
            service: The account is a program's.

        Raises:
            AccountConflict: The name is taken.
        """
        try:
            return await self._transactions.run(
                lambda connection: create(connection, name, roles, boards, password, service=service)
            )
        except IntegrityError:
            raise AccountConflict(f"there is a user {name} already", user=name) from None

    async def all(self) -> list[User]:
        """Return every user by name."""
        return await self._transactions.run(_all)

    async def get(self, name: str) -> User:
        """Return a user.

        Raises:
            NoSuchAccount: There is none of this name.
        """
        return await self._transactions.run(lambda connection: read(connection, name))

    async def password_of(self, name: str) -> str | None:
        """Return the hash of an enabled user's password; ``None`` for anybody else."""
        statement = select(_USERS.c.password).where(_USERS.c.name == name, _USERS.c.disabled.is_(False))
        hashed: str | None = await self._transactions.run(lambda connection: connection.scalar(statement))
        return hashed

    async def known(self, name: str) -> str | None:
        """Return the name where there is an account of it, also a disabled one."""
        found = await self._transactions.run(
            lambda connection: connection.scalar(select(_USERS.c.name).where(_USERS.c.name == name))
        )
        return None if found is None else str(found)

    async def change(
        self,
        name: str,
        *,
        roles: Sequence[Role] | None = None,
        boards: Sequence[BoardGrant] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what a user may do; what is ``None`` stays.

        Raises:
            NoSuchAccount: There is no such user.
            AccountConflict: Nobody would be left who can manage users.
        """
        return await self._transactions.run(
            lambda connection: change(connection, name, roles=roles, boards=boards, disabled=disabled)
        )

    async def set_password(self, name: str, hashed: str | None, *, keep_session: str = "") -> None:
        """Set a password, or with ``None`` take it away; end the user's sessions, all but one."""

        def work(connection: Connection) -> None:
            connection.execute(update(_USERS).where(_USERS.c.name == name).values(password=hashed))
            end_sessions(connection, name, keep=keep_session)
            connection.execute(delete(_LINKS).where(_LINKS.c.user == name))
            append(connection, about_user(AuditKind.PASSWORD_CHANGED if hashed else AuditKind.PASSWORD_RESET, name))

        await self._transactions.run(work)


def create(
    connection: Connection,
    name: str,
    roles: Sequence[Role],
    boards: Sequence[BoardGrant] = (),
    password: str | None = None,
    *,
    service: bool = False,
) -> User:
    """Create a user, as the last act of a transaction.

    Raises:
        IntegrityError: The name is taken.
    """
    values = {
        "name": name,
        "password": password,
        "disabled": False,
        "service": service,
        "created_at": timestamp(),
    }
    connection.execute(insert(_USERS).values(roles=_values(roles), **values))
    _grant(connection, name, boards)
    user = read(connection, name)
    append(connection, about_user(AuditKind.USER_CREATED, name, after=user))
    return user


def change(
    connection: Connection,
    name: str,
    *,
    roles: Sequence[Role] | None = None,
    boards: Sequence[BoardGrant] | None = None,
    disabled: bool | None = None,
) -> User:
    """Change what a user may do, as the last act of a transaction; what is ``None`` stays.

    Raises:
        NoSuchAccount: There is no such user.
        AccountConflict: Nobody would be left who can manage users.
    """
    # Locked, so that two administrators cannot take the role from each other at the same moment.
    connection.execute(select(_USERS.c.name).with_for_update()).all()
    before = read(connection, name)
    values = {"roles": None if roles is None else _values(roles), "disabled": disabled}
    given = {column: value for column, value in values.items() if value is not None}
    if given:
        connection.execute(update(_USERS).where(_USERS.c.name == name).values(**given))
    if boards is not None:
        connection.execute(delete(_GRANTS).where(_GRANTS.c.user == name))
        _grant(connection, name, boards)
    if not _administered(connection):
        raise AccountConflict(f"{name} is the last administrator; make somebody else one first", user=name)
    if disabled:
        end_sessions(connection, name)
        connection.execute(delete(_LINKS).where(_LINKS.c.user == name))
    user = read(connection, name)
    append(connection, about_user(AuditKind.USER_CHANGED, name, before=before, after=user))
    return user


def follow(connection: Connection, name: str, roles: Sequence[Role]) -> User:
    """Give a user the roles that a provider says, as the last act of a transaction.

    The last administrator keeps that role whatever it says, as otherwise nobody could manage users any more.
    """
    connection.execute(select(_USERS.c.name).with_for_update()).all()
    before = read(connection, name)
    # Written before it is looked at: on SQLite only a write keeps others from changing accounts meanwhile.
    _give(connection, name, roles)
    kept = Role.ADMIN in before.roles and not _administered(connection)
    if kept:
        _give(connection, name, [*roles, Role.ADMIN])
    user = read(connection, name)
    events = [about_user(AuditKind.USER_CHANGED, name, before=before, after=user)] if user != before else []
    append(connection, *events, *([kept_administrator(name, roles)] if kept else []))
    return user


def end_sessions(connection: Connection, name: str, keep: str = "") -> None:
    """Revoke every session of a user but one."""
    open_ = (_SESSIONS.c.user == name) & _SESSIONS.c.revoked_at.is_(None) & (_SESSIONS.c.id != keep)
    connection.execute(update(_SESSIONS).where(open_).values(revoked_at=timestamp()))


def grants_of(connection: Connection, name: str) -> tuple[BoardGrant, ...]:
    """Return a user's roles on single boards."""
    statement = select(_GRANTS.c.board, _GRANTS.c.role).where(_GRANTS.c.user == name)
    rows = connection.execute(statement.order_by(_GRANTS.c.board, _GRANTS.c.role))
    return tuple(BoardGrant(board=row.board, role=Role(row.role)) for row in rows)


def _grant(connection: Connection, name: str, boards: Sequence[BoardGrant]) -> None:
    rows = [{"user": name, "board": board, "role": role} for board, role in {(one.board, one.role) for one in boards}]
    if rows:
        connection.execute(insert(_GRANTS), rows)


def _give(connection: Connection, name: str, roles: Sequence[Role]) -> None:
    connection.execute(update(_USERS).where(_USERS.c.name == name).values(roles=_values(roles)))


def _administered(connection: Connection) -> bool:
    return any(Role.ADMIN in user.roles and not user.disabled for user in _all(connection))


def _all(connection: Connection) -> list[User]:
    grants: dict[str, list[BoardGrant]] = {}
    for row in connection.execute(select(_GRANTS).order_by(_GRANTS.c.board, _GRANTS.c.role)):
        grants.setdefault(row.user, []).append(BoardGrant(board=row.board, role=Role(row.role)))
    rows = connection.execute(select(_USERS).order_by(_USERS.c.name))
    outside = set(connection.scalars(select(_IDENTITIES.c.user)))
    return [_read(row, grants.get(row.name, ()), via_provider=row.name in outside) for row in rows]


def read(connection: Connection, name: str) -> User:
    """Return a user.

    Raises:
        NoSuchAccount: There is none of this name.
    """
    row = connection.execute(select(_USERS).where(_USERS.c.name == name)).first()
    if row is None:
        raise NoSuchAccount(f"there is no user {name}", user=name)
    outside = connection.scalar(select(exists().where(_IDENTITIES.c.user == name)))
    return _read(row, grants_of(connection, name), via_provider=bool(outside))


def _read(row: Row[Any], boards: Sequence[BoardGrant], *, via_provider: bool) -> User:
    return User(
        name=row.name,
        roles=tuple(Role(role) for role in row.roles),
        boards=tuple(boards),
        disabled=row.disabled,
        has_password=row.password is not None,
        service=row.service,
        via_provider=via_provider,
        created_at=row.created_at,
    )


def _values(roles: Sequence[Role]) -> list[str]:
    return [role.value for role in Role if role in roles]
