"""The log as front doors use it: write, look, verify, export."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from activities.audit import reading
from activities.audit.checkpoints import Checkpointer
from activities.audit.contracts import AuditEntry, AuditEvent, AuditFilter, AuditReport, AuditTampered
from activities.audit.export import export
from activities.audit.log import append
from activities.audit.signing import AuditSigners, PublicKeys
from activities.audit.verify import verify_database
from activities.records.transactions import Transactions, answered


class AuditLog:
    """The audit log of an installation.

    Args:
        engine: The records database.
        signer: The installation's keys.
        checkpointer: Signs how the log stands.
    """

    def __init__(self, engine: Engine, signer: AuditSigners, checkpointer: Checkpointer) -> None:
        self._engine = engine
        self._signer = signer
        self._checkpointer = checkpointer
        self._transactions = Transactions(engine)

    async def write(self, *events: AuditEvent) -> None:
        """Write events that no transaction of their own tells of.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        await self._transactions.run(lambda connection: append(connection, *events))

    async def page(self, wanted: AuditFilter, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return entries, newest first.

        Args:
            wanted: Which.
            before: Only entries before this one.
            limit: How many at most.
        """
        found = await self._transactions.run(lambda connection: reading.newest(connection, wanted, before, limit))
        # An entry whose detail was made unreadable is still shown.
        return [AuditEntry(**_shown(entry)) for entry in found]

    async def verify(self) -> AuditReport:
        """Return all that is wrong with the log, against the database's checkpoints and the one beside the key."""
        return await answered(self._verify)

    async def export(self, wanted: AuditFilter) -> Iterator[str]:
        """Return the lines of an export; they are read as they are taken."""
        try:
            checkpoint = await answered(self._checkpointer.sign)
        except AuditTampered:
            # What was tampered with is exported too: it is evidence. Nothing vouches for it then.
            checkpoint = None
        return export(self._engine, wanted, self._signer.current(), checkpoint)

    def _verify(self) -> AuditReport:
        kept = self._checkpointer.kept()
        keys = PublicKeys(self._signer.public_key_pems)
        return verify_database(self._engine, keys, [kept] if kept else [])


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    detail = entry["detail"]
    return entry if isinstance(detail, dict) else entry | {"detail": {"unreadable": str(detail)}}
