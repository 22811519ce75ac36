"""The ledger of model calls: what was asked under which key, and the answer that was paid for."""

import asyncio

from sqlalchemy import Engine, select, update

from activities.llm.contracts import IdempotencyMismatch, ModelAnswer
from activities.records.database import timestamp, upsert
from activities.records.tables import CallRow

_CALLS = CallRow.__table__  # type: ignore[attr-defined]


class SqlCallLedger:
    """Keeps model calls in the records database. The first answer under a key stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin(self, key: str, group: str, request: str) -> ModelAnswer | None:
        """Return the paid-for answer under a key, or note that a call starts.

        ``starts`` above 1 without an answer means: possibly paid for before, the answer lost.

        Raises:
            IdempotencyMismatch: The key stands for another request.
        """
        return await asyncio.to_thread(self._begin, key, group, request)

    async def record(self, key: str, answer: ModelAnswer) -> ModelAnswer:
        """Store an answer and return the one that stands under the key."""
        return await asyncio.to_thread(self._record, key, answer)

    def _begin(self, key: str, group: str, request: str) -> ModelAnswer | None:
        started = upsert(self._engine, CallRow).values(
            key=key, model_group=group, request=request, started_at=timestamp(), starts=1
        )
        started = started.on_conflict_do_update(index_elements=["key"], set_={"starts": _CALLS.c.starts + 1})
        with self._engine.begin() as connection:
            known = connection.execute(select(_CALLS.c.answer, _CALLS.c.request).where(_CALLS.c.key == key)).first()
            if known is not None and known.request not in {"", request}:
                raise IdempotencyMismatch(f"call {key} was made with another prompt before", key=key)
            if known is not None and known.answer is not None:
                return ModelAnswer.model_validate(known.answer)
            connection.execute(started)
        return None

    def _record(self, key: str, answer: ModelAnswer) -> ModelAnswer:
        with self._engine.begin() as connection:
            connection.execute(
                update(_CALLS)
                .where(_CALLS.c.key == key, _CALLS.c.answer.is_(None))
                .values(answer=answer.model_dump(mode="json"), answered_at=timestamp())
            )
            stored = connection.scalar(select(_CALLS.c.answer).where(_CALLS.c.key == key))
        return ModelAnswer.model_validate(stored)
