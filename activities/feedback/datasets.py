"""Data sets in the records database."""

from sqlalchemy import Connection, Engine, select

from activities.artifacts.contracts import Digest
from activities.audit.contracts import CALENDAR, AuditEvent, AuditKind
from activities.audit.log import append
from activities.feedback.contracts import Dataset
from activities.feedback.tables import DatasetRow
from activities.records.database import timestamp, upsert
from activities.records.transactions import Transactions

_DATASETS = DatasetRow.__table__  # type: ignore[attr-defined]


class SqlDatasetRegister:
    """Remembers data sets.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def add(self, digest: Digest, pairs: int) -> Dataset:
        """Remember a data set, once, and return it."""
        insert = upsert(self._engine, DatasetRow).on_conflict_do_nothing()
        event = AuditEvent(
            kind=AuditKind.PAIRS_EXPORTED,
            actor=CALENDAR,
            subject=f"artifact/{digest}",
            detail={"pairs": pairs},
            key=f"dataset/{digest}",
        )

        def write(connection: Connection) -> Dataset:
            connection.execute(insert, {"digest": digest, "pairs": pairs, "at": timestamp()})
            found = connection.execute(select(_DATASETS).where(_DATASETS.c.digest == digest)).mappings().one()
            append(connection, event)
            return Dataset.model_validate(dict(found))

        return await self._transactions.run(write)

    async def newest(self) -> Dataset | None:
        """Return the newest data set, if there is one."""
        found = await self.datasets(1)
        return found[0] if found else None

    async def datasets(self, limit: int = 50) -> list[Dataset]:
        """Return data sets, the newest first."""
        statement = select(_DATASETS).order_by(_DATASETS.c.at.desc(), _DATASETS.c.digest).limit(limit)

        def read(connection: Connection) -> list[Dataset]:
            return [Dataset.model_validate(dict(one)) for one in connection.execute(statement).mappings()]

        return await self._transactions.read(read)
