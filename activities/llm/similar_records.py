"""Vectors of answered prompts in the records database: SQLite or PostgreSQL, whichever the records are in."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError

from activities.llm.cache_tables import AnswerVectorRow
from activities.llm.similar_contracts import AnsweredPrompt, SimilarUnavailable
from activities.records.contracts import RecordsUnavailable
from activities.records.database import upsert
from activities.records.transactions import Transactions

Result = TypeVar("Result")

_VECTORS = AnswerVectorRow.__table__  # type: ignore[attr-defined]


class RecordedPrompts:
    """Keeps vectors in the records database, and forgets old ones whenever a new one comes.

    Args:
        engine: The records database.
        clock: What time it is, in seconds since 1970.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._transactions = Transactions(engine)

    async def newest(self, scope: str, marks: str, most: int) -> Sequence[AnsweredPrompt]:
        """Return those of a scope that have these marks and are not too old, newest first."""
        columns = [_VECTORS.c[name] for name in AnsweredPrompt.model_fields]
        here = (_VECTORS.c.scope == scope, _VECTORS.c.marks == marks, _VECTORS.c.until > self._clock())
        wanted = select(*columns).where(*here).order_by(_VECTORS.c.created_at.desc()).limit(most)
        return await self._done(
            lambda connection: [AnsweredPrompt(**one) for one in connection.execute(wanted).mappings()], reads=True
        )

    async def put(self, prompt: AnsweredPrompt, seconds: float) -> None:
        """Keep one for so long."""
        now = self._clock()
        values = {**prompt.model_dump(), "created_at": now, "until": now + seconds}
        kept = upsert(self._engine, AnswerVectorRow).values(values)
        kept = kept.on_conflict_do_update(index_elements=["scope", "prompt"], set_=values)

        def write(connection: Connection) -> None:
            connection.execute(delete(_VECTORS).where(_VECTORS.c.until <= now))
            connection.execute(kept)

        await self._done(write)

    async def clear(self) -> None:
        """Forget all."""
        await self._done(lambda connection: connection.execute(delete(_VECTORS)))

    async def _done(self, work: Callable[[Connection], Result], *, reads: bool = False) -> Result:
        try:
            return await (self._transactions.read(work) if reads else self._transactions.run(work))
        except (RecordsUnavailable, SQLAlchemyError) as error:
            raise SimilarUnavailable(str(error)) from error
