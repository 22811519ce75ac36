"""The ledger of model calls: what was asked under which key, and the answer that was paid for."""

import asyncio

from sqlalchemy import Engine, insert, select, update

from activities.llm.contracts import Begun, IdempotencyMismatch, ModelAnswer, ModelRequest
from activities.records.database import timestamp, upsert
from activities.records.incidents import cut_off, sent
from activities.records.tables import CallFailureRow, CallRow
from activities.routing.counting import count_answer

_CALLS = CallRow.__table__  # type: ignore[attr-defined]
_FAILURES = CallFailureRow.__table__  # type: ignore[attr-defined]


class SqlCallLedger:
    """Keeps model calls in the records database. The first answer under a key stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin(self, request: ModelRequest) -> Begun:
        """Return the paid-for answer under a call's key, or note that it starts.

        ``starts`` above 1 without an answer means: possibly paid for before, the answer lost.

        Raises:
            IdempotencyMismatch: The key stands for another request.
        """
        return await asyncio.to_thread(self._begin, request)

    async def record(self, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        """Store an answer and return the one that stands under the call's key."""
        return await asyncio.to_thread(self._record, request, answer)

    async def ended(self, key: str) -> None:
        """Note that a call ended without an answer; one that never ended was cut off in the middle of a request."""
        await asyncio.to_thread(self._ended, key)

    def _ended(self, key: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(_CALLS).where(_CALLS.c.key == key).values(under_way=False))

    def _begin(self, request: ModelRequest) -> Begun:
        key, digest = request.step.key, request.digest
        started = upsert(self._engine, CallRow).values(
            key=key, model_group=request.group, request=digest, started_at=timestamp(), starts=1, under_way=True
        )
        started = started.on_conflict_do_update(
            index_elements=["key"], set_={"starts": _CALLS.c.starts + 1, "under_way": True}
        )
        with self._engine.begin() as connection:
            columns = _CALLS.c.answer, _CALLS.c.request, _CALLS.c.under_way
            known = connection.execute(select(*columns).where(_CALLS.c.key == key)).first()
            if known is not None and known.request not in {"", digest}:
                raise IdempotencyMismatch(f"call {key} was made with another prompt before", key=key)
            if known is not None and known.answer is not None:
                return Begun(answer=ModelAnswer.model_validate(known.answer))
            connection.execute(started)
            if known is None:
                return Begun()
            used = sent(connection, key)
            if known.under_way:
                used += 1
                connection.execute(insert(_FAILURES).values(cut_off(request.step, used)))
        return Begun(used=used)

    def _record(self, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        key = request.step.key
        stored = (
            update(_CALLS)
            .where(_CALLS.c.key == key, _CALLS.c.answer.is_(None))
            .values(answer=answer.model_dump(mode="json"), answered_at=timestamp(), under_way=False)
        )
        with self._engine.begin() as connection:
            if connection.execute(stored).rowcount:
                count_answer(connection, self._engine, request, answer)
            standing = connection.scalar(select(_CALLS.c.answer).where(_CALLS.c.key == key))
        return ModelAnswer.model_validate(standing)
