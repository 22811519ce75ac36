"""Reading the log from the database, a page at a time and in the order of the chain."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, inspect, or_, select

from activities.audit.canonical import FIELDS, canonical
from activities.audit.contracts import AuditFilter, AuditMissing, Checkpoint
from activities.audit.tables import AuditCheckpointRow, AuditHeadRow, AuditRow

ENTRIES = AuditRow.__table__  # type: ignore[attr-defined]
CHECKPOINTS = AuditCheckpointRow.__table__  # type: ignore[attr-defined]
_HEAD = AuditHeadRow.__table__  # type: ignore[attr-defined]
_COLUMNS: Final = (*FIELDS, "hash")
_PAGE: Final = 2000
# Before every entry that there may be, also one that was smuggled in below the first.
START: Final = -(2**62)
EVERYTHING: Final = AuditFilter()


def require(engine: Engine) -> None:
    """Make sure that there is a log.

    Raises:
        AuditMissing: The database has none.
    """
    if not inspect(engine).has_table("audit_entries"):
        raise AuditMissing("this database has no audit log; Prism makes it when it starts")


def entries(engine: Engine, wanted: AuditFilter = EVERYTHING, after: int = START) -> Iterator[dict[str, Any]]:
    """Yield entries after one, oldest first, with a page of them in memory.

    A detail that is not as Prism writes it comes as the text it is, which has no valid hash.
    """
    statement = select(ENTRIES).where(*conditions(wanted)).order_by(ENTRIES.c.sequence).limit(_PAGE)
    while True:
        # Each page is a reading of its own: a long one would keep the database from tidying up.
        with engine.connect() as connection:
            page = connection.execute(statement.where(ENTRIES.c.sequence > after)).all()
        yield from map(as_entry, page)
        if len(page) < _PAGE:
            return
        after = page[-1].sequence


def newest(connection: Connection, wanted: AuditFilter, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries before one, newest first."""
    statement: Select[Any] = select(ENTRIES).where(*conditions(wanted)).order_by(ENTRIES.c.sequence.desc()).limit(limit)
    if before is not None:
        statement = statement.where(ENTRIES.c.sequence < before)
    return [as_entry(row) for row in connection.execute(statement)]


def head(engine: Engine) -> tuple[int, str] | None:
    """Return sequence and hash of the last entry as every writer knows it; ``None`` when that row is gone."""
    with engine.connect() as connection:
        row = connection.execute(select(_HEAD.c.sequence, _HEAD.c.hash).where(_HEAD.c.id == 1)).first()
    return (row.sequence, row.hash) if row else None


def checkpoints(engine: Engine) -> Iterator[Checkpoint]:
    """Yield what has been signed until now, in the order of the entries."""
    newest_now = last_checkpoint(engine)
    return _checkpoints(engine, newest_now.sequence) if newest_now else iter(())


def _checkpoints(engine: Engine, until: int) -> Iterator[Checkpoint]:
    after = START
    asked = select(CHECKPOINTS).where(CHECKPOINTS.c.sequence <= until)
    statement = asked.order_by(CHECKPOINTS.c.sequence).limit(_PAGE)
    while True:
        with engine.connect() as connection:
            page = connection.execute(statement.where(CHECKPOINTS.c.sequence > after)).all()
        yield from (Checkpoint.model_construct(**row._mapping) for row in page)  # noqa: SLF001 -- its public name
        if len(page) < _PAGE:
            return
        after = page[-1].sequence


def last_checkpoint(engine: Engine) -> Checkpoint | None:
    """Return the newest signed checkpoint of the database."""
    with engine.connect() as connection:
        row = connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.sequence.desc()).limit(1)).first()
    return Checkpoint.model_construct(**row._mapping) if row else None  # noqa: SLF001 -- its public name


def one(engine: Engine, sequence: int) -> dict[str, Any] | None:
    """Return an entry, or ``None``."""
    with engine.connect() as connection:
        row = connection.execute(select(ENTRIES).where(ENTRIES.c.sequence == sequence)).first()
    return as_entry(row) if row else None


def conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks for."""
    found: list[ColumnElement[bool]] = []
    if wanted.kinds:
        same = [ENTRIES.c.kind == kind for kind in wanted.kinds]
        below = [ENTRIES.c.kind.startswith(f"{kind}.", autoescape=True) for kind in wanted.kinds]
        found.append(or_(*same, *below))
    if wanted.actor:
        found.append(ENTRIES.c.actor == wanted.actor)
    if wanted.since:
        found.append(ENTRIES.c.at >= wanted.since)
    if wanted.until:
        found.append(ENTRIES.c.at < wanted.until)
    return found


def as_entry(row: Row[Any]) -> dict[str, Any]:
    """Return a row as the entry that was hashed."""
    entry = {name: getattr(row, name) for name in _COLUMNS}
    # Nothing is written as NULL alone: an empty text there is somebody else's.
    entry["key"] = "" if row.key is None else row.key or "(empty)"
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        detail = json.loads(row.detail)
        if canonical(detail) == row.detail:
            entry["detail"] = detail
    return entry
