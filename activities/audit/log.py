"""Writing the log: each entry in the transaction of what it tells of, each linked to the one before."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from activities.audit.actor import actor
from activities.audit.canonical import canonical, entry_hash, facts, plain
from activities.audit.contracts import AuditEvent
from activities.audit.tables import AuditHeadRow, AuditRow
from activities.records.database import timestamp

_ENTRIES = AuditRow.__table__  # type: ignore[attr-defined]
_HEAD = AuditHeadRow.__table__  # type: ignore[attr-defined]


def append(connection: Connection, *events: AuditEvent) -> int:
    """Write events at the end of the log; return how many were not there before.

    To be called last in a transaction: it holds the lock that puts all writers in one line until the transaction ends,
    and whoever takes it first and other locks after it could wait for somebody who waits for it.

    Args:
        connection: The transaction of what the events tell of.
        events: What happened.
    """
    if not events:
        return 0
    # Setting what is there takes the lock on both databases: of the file on SQLite, of the row on PostgreSQL.
    locked = update(_HEAD).where(_HEAD.c.id == 1).values(id=1).returning(_HEAD.c.sequence, _HEAD.c.hash)
    sequence, previous = connection.execute(locked).one()
    rows: list[dict[str, Any]] = []
    for event in _new(connection, events):
        row = _entry(event, sequence + 1, previous)
        sequence, previous = row["sequence"], row["hash"]
        rows.append(row | {"detail": canonical(row["detail"]), "key": row["key"] or None})
    if rows:
        connection.execute(insert(_ENTRIES), rows)
        connection.execute(update(_HEAD).where(_HEAD.c.id == 1).values(sequence=sequence, hash=previous))
    return len(rows)


def _new(connection: Connection, events: Sequence[AuditEvent]) -> list[AuditEvent]:
    """Return the events whose key is not taken, neither in the log nor by another one of them."""
    keys = [event.key for event in events if event.key]
    known = set(connection.scalars(select(_ENTRIES.c.key).where(_ENTRIES.c.key.in_(keys)))) if keys else set()
    fresh = []
    for event in events:
        if event.key not in known:
            fresh.append(event)
            known.update({event.key} - {""})
    return fresh


def _entry(event: AuditEvent, sequence: int, previous: str) -> dict[str, Any]:
    entry = {
        "sequence": sequence,
        "at": timestamp(),
        "actor": plain(event.actor or actor()),
        "kind": event.kind.value,
        "subject": plain(event.subject),
        "detail": facts(event.detail),
        "key": event.key,
        "previous": previous,
    }
    return entry | {"hash": entry_hash(entry)}
