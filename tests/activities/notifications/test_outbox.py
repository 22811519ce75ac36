"""The outbox on SQLite and on PostgreSQL: nothing is lost, nothing goes out twice under another key."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, text

from activities.notifications.contracts import Message, Notification
from activities.notifications.inbox import InboxNotifier
from activities.notifications.outbox import SqlOutbox
from activities.notifications.rules_file import parse_rules
from activities.records.tables import DeliveryRow
from temporal.contract import StepRef
from tests.clock import Clock

RULES = parse_rules(
    """\
channels:
  hook: {kind: webhook, url: https://example.com, secret_env: S}
  mail: {kind: apprise, url_env: M, digest: {minutes: 10}}
routes:
  - {name: everything, channels: [hook]}
people:
  ana: [mail]
""",
    "rules",
)


def note(row: str = "a", *, recipients: tuple[str, ...] = (), ordinal: int = 0, severity: str = "info") -> Notification:
    step = StepRef(run="r", row=row, step="notify", ordinal=ordinal)
    return Notification(step=step, recipients=recipients, title=f"{row} ended", body="Fine.", severity=severity)


def stored(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [
            dict(row) for row in connection.execute(text("SELECT * FROM deliveries ORDER BY key, channel")).mappings()
        ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(engine: Engine) -> SqlOutbox:
    return SqlOutbox(engine)


@pytest.fixture
def inbox(engine: Engine, clock: Clock) -> InboxNotifier:
    return InboxNotifier(engine, RULES, clock)


async def test_one_row_is_written_for_each_notification_and_channel(engine: Engine, inbox: InboxNotifier) -> None:
    await asyncio.gather(*(inbox.deliver(note(recipients=("ana", "bo"))) for _ in range(5)))
    assert [(row["channel"], row["target"], row["state"]) for row in stored(engine)] == [
        ("hook", "routes/everything", "queued"),
        ("mail", "people/ana", "queued"),
    ]


async def test_without_rules_nothing_is_written(engine: Engine) -> None:
    assert (await InboxNotifier(engine).deliver(note())).delivered
    assert stored(engine) == []


async def test_what_was_told_before_the_rules_is_not_told_again(engine: Engine, inbox: InboxNotifier) -> None:
    await InboxNotifier(engine).deliver(note())
    assert not (await inbox.deliver(note())).delivered
    assert stored(engine) == []


async def test_inbox_and_outbox_are_written_together_or_not_at_all(engine: Engine, inbox: InboxNotifier) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
    with pytest.raises(Exception, match="deliveries"):
        await inbox.deliver(note())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO deliveries"))
    assert (await inbox.deliver(note())).delivered
    assert len(stored(engine)) == 1


async def test_a_message_belongs_to_one_taker_until_its_lease_ends(
    engine: Engine, inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock
) -> None:
    for number in range(6):
        await inbox.deliver(note(f"row-{number}"))
    taken = await asyncio.gather(*(outbox.take(clock(), 4) for _ in range(4)))
    ids = [message.id for batch in taken for message in batch]
    assert len(ids) == len(set(ids))
    rest = await outbox.take(clock(), 10)
    assert len(ids) + len(rest) == 6
    assert await outbox.take(clock(), 10) == []
    clock.forward(seconds=31)
    again = await outbox.take(clock(), 10)
    assert {message.id for message in again} == {*ids, *(message.id for message in rest)}
    assert {message.attempt for message in again} == {2}


async def test_an_attempt_that_outlived_its_lease_says_only_that_it_arrived(
    engine: Engine, inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock
) -> None:
    await inbox.deliver(note())
    [late] = await outbox.take(clock(), 1)
    clock.forward(seconds=31)
    [current] = await outbox.take(clock(), 1)
    await outbox.failed(late, "too late")
    await outbox.retry(late, "too late", clock())
    assert [(row["state"], row["last_error"], row["attempts"]) for row in stored(engine)] == [("queued", "", 2)]
    await outbox.delivered(late, clock())
    await outbox.failed(current, "no")
    assert [row["state"] for row in stored(engine)] == ["delivered"]
    assert await outbox.next_due() is None


async def test_a_digest_is_one_message_that_stays_as_it_was_first_sent(
    inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock
) -> None:
    async def digests() -> list[Message]:
        return [message for message in await outbox.take(clock(), 10) if message.channel == "mail"]

    await inbox.deliver(note("a", recipients=("ana",)))
    clock.forward(minutes=4)
    await inbox.deliver(note("b", recipients=("ana",), severity="error"))
    assert await digests() == []
    clock.forward(minutes=6)
    [first] = await digests()
    assert ([item.row for item in first.items], first.title, first.severity) == (["a", "b"], "2 notifications", "error")

    await inbox.deliver(note("c", recipients=("ana",)))
    clock.forward(minutes=10)
    again, other = sorted(await digests(), key=lambda message: -len(message.items))
    assert (again.id, again.items, again.attempt) == (first.id, first.items, 2)
    assert ([item.row for item in other.items], other.attempt) == (["c"], 1)


async def test_a_message_says_what_the_inbox_says(inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock) -> None:
    await inbox.deliver(note(recipients=("ana", "bo"), severity="warning"))
    [message] = await outbox.take(clock(), 10)
    [item] = message.items
    assert (item.key, item.event, item.severity, item.recipients) == (
        "catalog/r/row/a/notify/0",
        "end",
        "warning",
        ("ana", "bo"),
    )
    assert (message.title, message.text) == ("a ended", "Fine.")


async def test_what_is_put_back_has_lost_no_attempt(inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock) -> None:
    await inbox.deliver(note())
    [message] = await outbox.take(clock(), 1)
    until = clock() + timedelta(hours=3)
    await outbox.postpone(message, until)
    assert await outbox.next_due() == until
    clock.forward(hours=3)
    assert [one.attempt for one in await outbox.take(clock(), 1)] == [1]


async def test_what_has_left_the_inbox_is_given_up(
    engine: Engine, inbox: InboxNotifier, outbox: SqlOutbox, clock: Clock
) -> None:
    await inbox.deliver(note())
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM notifications"))
    assert await outbox.take(clock(), 10) == []
    assert [(row["state"], row["last_error"]) for row in stored(engine)] == [("failed", "the notification is gone")]
    assert await outbox.next_due() is None


async def test_the_tables_are_what_the_migrations_make(engine: Engine) -> None:
    with engine.connect() as connection:
        found = MetaData()
        found.reflect(connection, only=["deliveries"])
        table = found.tables["deliveries"]
    declared = DeliveryRow.__table__  # type: ignore[attr-defined]
    assert {column.name: column.nullable for column in table.columns} == {
        column.name: column.nullable for column in declared.columns
    }
    assert {index.name: index.columns.keys() for index in table.indexes} == {
        index.name: index.columns.keys() for index in declared.indexes
    }
