"""The reading side of the inbox: what somebody was told, and what of it they have seen."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, exists, func, or_, select, tuple_, update

from activities.notifications.inbox import SUBMITTER
from activities.records.database import timestamp
from activities.records.tables import NotificationRow, RunRow
from activities.records.transactions import Transactions
from activities.records.views import NotificationView
from temporal.contract import Contract

_NOTES = NotificationRow.__table__  # type: ignore[attr-defined]
_RUNS = RunRow.__table__  # type: ignore[attr-defined]


class InboxFilter(Contract):
    """Which notifications are wanted.

    Args:
        recipients: Only what was told to these, such as a person's name and roles, or to them as submitters of the run;
            ``None`` for everybody's.
        recipient: Only what was told under this very name.
        keys: Only these; none for all.
        before: Only those after this one's place in the list: its ``cursor``.
    """

    recipients: tuple[str, ...] | None = None
    recipient: str = ""
    run: str = ""
    unread: bool = False
    keys: tuple[str, ...] = ()
    before: str = ""


class SqlInbox:
    """Reads what was told, and notes what was seen.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def notifications(self, wanted: InboxFilter, limit: int = 100) -> list[NotificationView]:
        """Return notifications, newest first."""
        place = (_NOTES.c.at, _NOTES.c.key, _NOTES.c.recipient)
        statement = _filtered(select(_NOTES), wanted).order_by(*(column.desc() for column in place)).limit(limit)
        if wanted.before:
            statement = statement.where(tuple_(*place) < _place(wanted.before))

        def read(connection: Connection) -> list[NotificationView]:
            return [NotificationView.model_validate(dict(row)) for row in connection.execute(statement).mappings()]

        return await self._transactions.read(read)

    async def unread(self, wanted: InboxFilter) -> int:
        """Return how many of them nobody has seen."""
        statement = _filtered(select(func.count()).select_from(_NOTES), wanted.model_copy(update={"unread": True}))
        return await self._transactions.read(lambda connection: int(connection.scalar(statement) or 0))

    async def mark_read(self, wanted: InboxFilter) -> int:
        """Note that they were seen, and return how many had not been."""
        fresh = _filtered(select(_NOTES.c.key, _NOTES.c.recipient), wanted.model_copy(update={"unread": True}))
        seen = tuple_(_NOTES.c.key, _NOTES.c.recipient).in_(fresh)
        statement = update(_NOTES).where(seen).values(read_at=timestamp())
        return await self._transactions.run(lambda connection: int(connection.execute(statement).rowcount))


def _filtered(statement: Select[Any], wanted: InboxFilter) -> Select[Any]:
    if wanted.recipients is not None:
        statement = statement.where(_told_to(wanted.recipients))
    if wanted.recipient:
        statement = statement.where(_NOTES.c.recipient == wanted.recipient)
    if wanted.run:
        statement = statement.where(_NOTES.c.run == wanted.run)
    if wanted.unread:
        statement = statement.where(_NOTES.c.read_at.is_(None))
    if wanted.keys:
        statement = statement.where(_NOTES.c.key.in_(wanted.keys))
    return statement


def _place(cursor: str) -> tuple[str, str, str]:
    at, _, rest = cursor.partition("~")
    key, _, recipient = rest.partition("~")
    return at, key, recipient


def _told_to(names: Sequence[str]) -> Any:  # noqa: ANN401 -- an SQL condition
    own_runs = exists().where(_RUNS.c.run == _NOTES.c.run, _RUNS.c.submitter.in_(names))
    return or_(_NOTES.c.recipient.in_(names), (_NOTES.c.recipient == SUBMITTER) & own_runs)
