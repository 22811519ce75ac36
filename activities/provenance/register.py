"""The seals of runs in the records database, and the rows they are made of."""

import functools
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, select

from activities.provenance.leaf import Leaf
from activities.provenance.run_contracts import RunSeal
from activities.provenance.tables import RunSealRow
from activities.records.database import timestamp, upsert
from activities.records.tables import EventRow, TaskRecord
from activities.records.transactions import Transactions

BATCH: Final = 1000
_SEALS = RunSealRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]


class SqlRunSeals:
    """Keeps the seals of runs in the records database.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def leaves(self, run: str) -> AsyncIterator[Sequence[Leaf]]:
        """Yield the rows of a run as recorded; see :class:`RunSeals`."""
        here = select(
            _ROWS.c.position.label("index"),
            *(_ROWS.c.row, _ROWS.c.state, _ROWS.c.attempt, _ROWS.c.code, _ROWS.c.envelope, _ROWS.c.finished_at),
            _ROWS.c.output_digest.label("output"),
        ).where(_ROWS.c.run == run)
        after = -1
        while True:
            page = here.where(_ROWS.c.position > after).order_by(_ROWS.c.position).limit(BATCH)
            batch = await self._transactions.run(functools.partial(_leaves, page))
            if not batch:
                return
            yield batch
            after = batch[-1].index

    async def of(self, run: str) -> list[RunSeal]:
        """Return the seals of a run, oldest first."""
        return await self._transactions.run(lambda connection: _seals(connection, run))

    async def keep(self, seal: RunSeal) -> RunSeal:
        """Keep a seal unless there is one of this end already; see :class:`RunSeals`."""

        def write(connection: Connection) -> RunSeal:
            connection.execute(upsert(self._engine, RunSealRow).on_conflict_do_nothing(), seal.model_dump())
            # Whoever watches the run learns that there is a proof now.
            connection.execute(upsert(self._engine, EventRow).on_conflict_do_nothing(), _event(seal))
            return next(kept for kept in _seals(connection, seal.run) if kept.sequence == seal.sequence)

        return await self._transactions.run(write)


def _leaves(page: Select[Any], connection: Connection) -> list[Leaf]:
    rows = connection.execute(page).mappings()
    return [Leaf.model_validate({**row, "finished_at": row["finished_at"] or ""}) for row in rows]


def _event(seal: RunSeal) -> dict[str, Any]:
    return {
        "key": f"sealed/{seal.run}/{seal.sequence}",
        "run": seal.run,
        "row": "",
        "kind": "sealed",
        "at": timestamp(),
        "body": {"number": seal.number},
    }


def _seals(connection: Connection, run: str) -> list[RunSeal]:
    found = select(_SEALS).where(_SEALS.c.run == run).order_by(_SEALS.c.sequence)
    return [RunSeal.model_validate(dict(seal)) for seal in connection.execute(found).mappings()]
