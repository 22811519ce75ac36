"""Answers that gateways share by the records database: SQLite or PostgreSQL, whichever the records are in."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError

from activities.llm.cache_contracts import SharedAnswersUnavailable
from activities.llm.cache_tables import AnswerLeaseRow, CachedAnswerRow
from activities.llm.contracts import ModelAnswer
from activities.records.contracts import RecordsUnavailable
from activities.records.database import upsert
from activities.records.transactions import Transactions

Result = TypeVar("Result")

_ANSWERS = CachedAnswerRow.__table__  # type: ignore[attr-defined]
_LEASES = AnswerLeaseRow.__table__  # type: ignore[attr-defined]


class RecordedAnswers:
    """Keeps answers in the records database, and forgets old ones whenever a new one comes.

    Args:
        engine: The records database.
        clock: What time it is, in seconds since 1970; the machines of all gateways agree on it by some seconds.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._transactions = Transactions(engine)

    async def get(self, key: str) -> ModelAnswer | None:
        """Return an answer that is not too old."""
        wanted = select(_ANSWERS.c.answer).where(_ANSWERS.c.key == key, _ANSWERS.c.until > self._clock())
        found = await self._done(lambda connection: connection.scalar(wanted), reads=True)
        return None if found is None else ModelAnswer.model_validate(found)

    async def put(self, key: str, answer: ModelAnswer, seconds: float) -> None:
        """Keep an answer for so long."""
        now = self._clock()
        values = {"answer": answer.model_dump(mode="json"), "until": now + seconds}
        kept = upsert(self._engine, CachedAnswerRow).values(key=key, **values)
        kept = kept.on_conflict_do_update(index_elements=["key"], set_=values)

        def write(connection: Connection) -> None:
            connection.execute(delete(_ANSWERS).where(_ANSWERS.c.until <= now))
            connection.execute(kept)

        await self._done(write)

    async def lease(self, key: str, holder: str, seconds: float) -> bool:
        """Tell whether a gateway may ask; the holder's own lease is renewed."""
        now = self._clock()
        values = {"holder": holder, "until": now + seconds}
        taken = upsert(self._engine, AnswerLeaseRow).values(key=key, **values)
        free = (_LEASES.c.until <= now) | (_LEASES.c.holder == holder)
        taken = taken.on_conflict_do_update(index_elements=["key"], set_=values, where=free)
        # Not the count of rows: psycopg does not know it here.
        mine = taken.returning(_LEASES.c.key)
        return await self._done(lambda connection: connection.scalar(mine)) is not None

    async def release(self, key: str, holder: str) -> None:
        """Let others ask."""
        given = delete(_LEASES).where(_LEASES.c.key == key, _LEASES.c.holder == holder)
        await self._done(lambda connection: connection.execute(given))

    async def clear(self) -> None:
        """Forget all answers."""
        await self._done(lambda connection: connection.execute(delete(_ANSWERS)))

    async def _done(self, work: Callable[[Connection], Result], *, reads: bool = False) -> Result:
        try:
            return await (self._transactions.read(work) if reads else self._transactions.run(work))
        except (RecordsUnavailable, SQLAlchemyError) as error:
            raise SharedAnswersUnavailable(str(error)) from error
