"""The outbox in the records database: what is to be sent, and what became of it."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, func, select, update

from activities.notifications.contracts import (
    DeliveryState,
    Item,
    Message,
    Notification,
    ReviewLinker,
    Severity,
    event_kind,
)
from activities.notifications.rules import Rules
from activities.records.database import timestamp, upsert
from activities.records.tables import DeliveryRow, NotificationRow, TaskRecord
from activities.records.transactions import Transactions

_DELIVERIES = DeliveryRow.__table__  # type: ignore[attr-defined]
_NOTES = NotificationRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_QUEUED = _DELIVERIES.c.state == DeliveryState.QUEUED.value

# Longer than an attempt can take (ten seconds, and the database): when it has passed, whoever began is dead.
LEASE: Final = timedelta(seconds=30)


def enqueue(
    connection: Connection,
    engine: Engine,
    rules: Rules,
    notification: Notification,
    recipients: Sequence[str],
    now: datetime,
) -> int:
    """Write what the rules want sent of a notification, in the transaction that writes it into the inbox.

    Args:
        connection: The transaction.
        engine: Its database.
        rules: What goes where, and when.
        notification: What is to be told.
        recipients: Whose inboxes it goes to.
        now: The moment it came up.

    Returns:
        How many channels it goes to.
    """
    step = notification.step
    here = (_ROWS.c.run == step.run) & (_ROWS.c.row == step.row)
    board = connection.scalar(select(_ROWS.c.board).where(here)) or ""
    severity = Severity.of(notification.severity)
    targets = rules.targets(board, event_kind(step.step), severity, recipients)
    for name, target in targets.items():
        channel = rules.channels[name]
        connection.execute(
            upsert(engine, DeliveryRow).on_conflict_do_nothing(),
            {
                "key": step.key,
                "channel": name,
                "target": target,
                "message": None if channel.digest else _message_id(name, (step.key,)),
                "state": DeliveryState.QUEUED.value,
                "attempts": 0,
                "next_at": timestamp(channel.due(now, severity)),
                "last_error": "",
                "created_at": timestamp(now),
            },
        )
    return len(targets)


class SqlOutbox:
    """Hands out what is due and keeps what became of it.

    Args:
        engine: The records database.
        lease: How long a message that was taken belongs to whoever took it.
        links: Knows where reviews are decided. Links are made when a message is taken: what lets people decide is
            nowhere kept.
    """

    def __init__(self, engine: Engine, lease: timedelta = LEASE, links: ReviewLinker | None = None) -> None:
        self._transactions = Transactions(engine)
        self._lease = lease
        self._links = links

    async def take(self, now: datetime, limit: int) -> list[Message]:
        """Begin an attempt at messages that are due; nobody else gets them before the lease ends."""
        return await self._transactions.run(lambda connection: self._take(connection, now, limit))

    async def delivered(self, message: Message, now: datetime) -> None:
        """Keep that a message reached its receiver."""
        values = {"state": DeliveryState.DELIVERED.value, "delivered_at": timestamp(now), "last_error": ""}
        # Whichever attempt it was: what has arrived has arrived.
        await self._settle(_DELIVERIES.c.message == message.id, values)

    async def failed(self, message: Message, error: str) -> None:
        """Keep that a message is given up."""
        await self._settle(_this_attempt(message), {"state": DeliveryState.FAILED.value, "last_error": error})

    async def retry(self, message: Message, error: str, at: datetime) -> None:
        """Keep that a message is to be tried again."""
        await self._settle(_this_attempt(message), {"next_at": timestamp(at), "last_error": error})

    async def postpone(self, message: Message, until: datetime) -> None:
        """Put a message back that was not sent; the attempt does not count."""
        values = {"next_at": timestamp(until), "attempts": message.attempt - 1}
        await self._settle(_this_attempt(message), values)

    async def next_due(self) -> datetime | None:
        """Return when the next message is due, ``None`` when nothing waits."""
        statement = select(func.min(_DELIVERIES.c.next_at)).where(_QUEUED)
        found = await self._transactions.run(lambda connection: connection.scalar(statement))
        return datetime.fromisoformat(found) if found else None

    def _take(self, connection: Connection, now: datetime, limit: int) -> list[Message]:
        due = _QUEUED & (_DELIVERIES.c.next_at <= timestamp(now))
        self._close_digests(connection, due)
        oldest = func.min(_DELIVERIES.c.next_at)
        wanted = select(_DELIVERIES.c.message).where(due, _DELIVERIES.c.message.is_not(None))
        wanted = wanted.group_by(_DELIVERIES.c.message).order_by(oldest, _DELIVERIES.c.message).limit(limit)
        taken = []
        for message in connection.scalars(wanted).all():
            begun = update(_DELIVERIES).where(due, _DELIVERIES.c.message == message)
            begun = begun.values(attempts=_DELIVERIES.c.attempts + 1, next_at=timestamp(now + self._lease))
            # Nothing is begun where somebody else was quicker.
            if connection.execute(begun).rowcount:
                taken.append(message)
        messages = _messages(connection, taken, self._links)
        if gone := set(taken) - {message.id for message in messages}:
            # Somebody cleared the inbox: without what it said there is nothing to send, now or later.
            values = {"state": DeliveryState.FAILED.value, "last_error": "the notification is gone"}
            connection.execute(update(_DELIVERIES).where(_DELIVERIES.c.message.in_(gone)).values(values))
        return messages

    def _close_digests(self, connection: Connection, due: Any) -> None:  # noqa: ANN401 -- an SQL condition
        """Put what has been collected for each channel into one message, which stays as it is from now on."""
        loose = due & _DELIVERIES.c.message.is_(None)
        collected: defaultdict[str, list[str]] = defaultdict(list)
        for channel, key in connection.execute(select(_DELIVERIES.c.channel, _DELIVERIES.c.key).where(loose)):
            collected[channel].append(key)
        for channel, keys in collected.items():
            here = loose & (_DELIVERIES.c.channel == channel) & _DELIVERIES.c.key.in_(keys)
            connection.execute(update(_DELIVERIES).where(here).values(message=_message_id(channel, keys)))

    async def _settle(self, which: Any, values: dict[str, Any]) -> None:  # noqa: ANN401 -- an SQL condition
        statement = update(_DELIVERIES).where(_QUEUED, which).values(values)
        await self._transactions.run(lambda connection: connection.execute(statement))


def _message_id(channel: str, keys: Iterable[str]) -> str:
    text = "\n".join((channel, *sorted(keys)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _this_attempt(message: Message) -> Any:  # noqa: ANN401 -- an SQL condition
    # An attempt that outlived its lease has no say any more.
    return (_DELIVERIES.c.message == message.id) & (_DELIVERIES.c.attempts == message.attempt)


def _messages(connection: Connection, ids: Sequence[str], links: ReviewLinker | None) -> list[Message]:
    row = (_ROWS.c.run == _NOTES.c.run) & (_ROWS.c.row == _NOTES.c.row)
    deliveries = (_DELIVERIES.c.message, _DELIVERIES.c.channel, _DELIVERIES.c.attempts, _DELIVERIES.c.target)
    columns = (*deliveries, *_NOTES.c, _ROWS.c.board)
    statement = select(*columns).where(_DELIVERIES.c.message.in_(ids), _QUEUED)
    tables = _DELIVERIES.join(_NOTES, _NOTES.c.key == _DELIVERIES.c.key).outerjoin(_ROWS, row)
    order = (_DELIVERIES.c.message, _NOTES.c.at, _NOTES.c.key, _NOTES.c.recipient)
    found = connection.execute(statement.select_from(tables).order_by(*order)).mappings().all()
    messages = {}
    for message, members in groupby(found, key=lambda one: one["message"]):
        rows = list(members)
        items = tuple(_linked(list(notes), links) for _, notes in groupby(rows, key=lambda one: one["key"]))
        first = rows[0]
        messages[message] = Message(id=message, channel=first["channel"], attempt=first["attempts"], items=items)
    return [messages[message] for message in ids if message in messages]


def _linked(notes: Sequence[RowMapping], links: ReviewLinker | None) -> Item:
    item, note = _item(notes), notes[0]
    if links is None or not note["round"]:
        return item
    # Only where a person's own channels were asked for does one person read it, who may decide with one click.
    whose, _, person = str(note["target"]).partition("/")
    if whose == "people":
        link = links.link_for(person, item, note["attempt"], note["round"])
    else:
        link = links.page_of(item.run, item.row)
    return item.model_copy(update={"link": link})


def _item(notes: Sequence[RowMapping]) -> Item:
    """Return one notification of what is in its recipients' inboxes."""
    note = notes[0]
    step = note["key"].rsplit("/", 2)[-2]
    return Item(
        key=note["key"],
        run=note["run"],
        row=note["row"],
        board=note["board"] or "",
        event=event_kind(step) or step,
        severity=Severity.of(note["severity"]),
        title=note["title"],
        body=note["body"],
        recipients=tuple(one["recipient"] for one in notes),
        at=note["at"],
    )
