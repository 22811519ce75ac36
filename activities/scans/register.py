"""Scans of folders in the records database."""

from typing import Any

from sqlalchemy import Connection, Engine, select, update

from activities.audit.contracts import CALENDAR, SCANNERS, AuditEvent, AuditKind
from activities.audit.log import append
from activities.records.database import timestamp, upsert
from activities.records.transactions import Transactions
from activities.scans.folder_contracts import ScanRecord, ScanState
from activities.scans.tables import ScanRow

_SCANS = ScanRow.__table__  # type: ignore[attr-defined]


class SqlScanRegister:
    """Remembers scans of folders.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def begin(self, scan: str, folder: str, by: str) -> None:
        """Note that a scan has begun, once, and who asked for it; nobody is the calendar."""
        values: dict[str, Any] = {"scan": scan, "folder": folder, "state": ScanState.RUNNING.value}
        values |= {"started_at": timestamp(), "counts": {}, "scanners": [], "new": 0}
        statement = upsert(self._engine, ScanRow).on_conflict_do_nothing()
        event = AuditEvent(
            kind=AuditKind.SCAN_STARTED,
            actor=by or CALENDAR,
            subject=f"scan/{scan}",
            detail={"folder": folder},
            key=f"scan/{scan}/started",
        )

        def write(connection: Connection) -> None:
            connection.execute(statement, values)
            append(connection, event)

        await self._transactions.run(write)

    async def end(self, record: ScanRecord) -> None:
        """Note how a scan ended."""
        told = record.model_dump(mode="json", exclude={"scan", "folder", "started_at", "finished_at"})
        statement = update(_SCANS).where(_SCANS.c.scan == record.scan).values(finished_at=timestamp(), **told)

        def write(connection: Connection) -> None:
            connection.execute(statement)
            append(connection, _ended(record))

        await self._transactions.run(write)

    async def before(self, scan: str, folder: str) -> ScanRecord | None:
        """Return the last scan of the folder that ended before this one, if there is one."""
        here = (_SCANS.c.folder == folder) & (_SCANS.c.scan != scan) & _SCANS.c.finished_at.is_not(None)
        own = select(_SCANS.c.started_at).where(_SCANS.c.scan == scan).scalar_subquery()
        earlier = select(_SCANS).where(here, _SCANS.c.started_at < own).order_by(_SCANS.c.started_at.desc()).limit(1)
        found = await self._transactions.read(lambda connection: _records(connection, earlier))
        return found[0] if found else None

    async def scans(self, folder: str = "", limit: int = 50) -> list[ScanRecord]:
        """Return scans, newest first."""
        newest = select(_SCANS).order_by(_SCANS.c.started_at.desc(), _SCANS.c.scan).limit(limit)
        if folder:
            newest = newest.where(_SCANS.c.folder == folder)
        return await self._transactions.read(lambda connection: _records(connection, newest))

    async def scan(self, scan: str) -> ScanRecord | None:
        """Return a scan, or ``None``."""
        one = select(_SCANS).where(_SCANS.c.scan == scan)
        found = await self._transactions.read(lambda connection: _records(connection, one))
        return found[0] if found else None


def _ended(record: ScanRecord) -> AuditEvent:
    """Return what the audit log is told of the end of a scan; one that is tried again may end otherwise."""
    told = record.model_dump(mode="json", include={"folder", "state", "counts", "new", "report", "sarif"})
    scanners = {one.scanner: one.problem or one.version for one in record.scanners}
    return AuditEvent(
        kind=AuditKind.SCAN_ENDED,
        actor=SCANNERS,
        subject=f"scan/{record.scan}",
        detail=told | {"scanners": scanners},
        key=f"scan/{record.scan}/{record.state}",
    )


def _records(connection: Connection, statement: Any) -> list[ScanRecord]:  # noqa: ANN401 -- a SQL statement
    return [ScanRecord.model_validate(dict(row)) for row in connection.execute(statement).mappings()]
