"""The ledger of model calls: what was asked under which key, and the answer that was paid for."""

import asyncio
from typing import Final

from sqlalchemy import Engine, Executable, func, insert, select, update

from activities.llm.contracts import Begun, IdempotencyMismatch, ModelAnswer
from activities.records.database import timestamp, upsert
from activities.records.tables import CallFailureRow, CallRow
from activities.routing.counting import count_answer
from temporal.errors import PrismError

_CALLS = CallRow.__table__  # type: ignore[attr-defined]
CUT_OFF: Final = "CutOff"
_FAILURES = CallFailureRow.__table__  # type: ignore[attr-defined]


class SqlCallLedger:
    """Keeps model calls in the records database. The first answer under a key stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin(self, key: str, group: str, request: str) -> Begun:
        """Return the paid-for answer under a key, or note that a call starts.

        ``starts`` above 1 without an answer means: possibly paid for before, the answer lost.

        Raises:
            IdempotencyMismatch: The key stands for another request.
        """
        return await asyncio.to_thread(self._begin, key, group, request)

    async def record(self, key: str, answer: ModelAnswer) -> ModelAnswer:
        """Store an answer and return the one that stands under the key."""
        return await asyncio.to_thread(self._record, key, answer)

    async def ended(self, key: str) -> None:
        """Note that a call ended without an answer; one that never ended was cut off in the middle of a request."""
        statement = update(_CALLS).where(_CALLS.c.key == key).values(under_way=False)
        await asyncio.to_thread(self._execute, statement)

    async def failed(self, key: str, deployment: str, fault: PrismError, milliseconds: int) -> None:
        """Keep a request that failed: how many there were counts, and people see who answers badly."""
        values = {
            "key": key,
            "deployment": deployment,
            "code": type(fault).__name__,
            "message": fault.message,
            "milliseconds": milliseconds,
            "at": timestamp(),
        }
        await asyncio.to_thread(self._execute, insert(_FAILURES).values(values))

    def _execute(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _begin(self, key: str, group: str, request: str) -> Begun:
        started = upsert(self._engine, CallRow).values(
            key=key, model_group=group, request=request, started_at=timestamp(), starts=1, under_way=True
        )
        started = started.on_conflict_do_update(
            index_elements=["key"], set_={"starts": _CALLS.c.starts + 1, "under_way": True}
        )
        with self._engine.begin() as connection:
            columns = _CALLS.c.answer, _CALLS.c.request, _CALLS.c.under_way
            known = connection.execute(select(*columns).where(_CALLS.c.key == key)).first()
            if known is not None and known.request not in {"", request}:
                raise IdempotencyMismatch(f"call {key} was made with another prompt before", key=key)
            if known is not None and known.answer is not None:
                return Begun(answer=ModelAnswer.model_validate(known.answer))
            connection.execute(started)
            if known is None:
                return Begun()
            if known.under_way:
                connection.execute(insert(_FAILURES).values(_cut_off(key)))
            used = connection.scalar(select(func.count()).select_from(_FAILURES).where(_FAILURES.c.key == key))
        return Begun(used=int(used or 0))

    def _record(self, key: str, answer: ModelAnswer) -> ModelAnswer:
        stored = (
            update(_CALLS)
            .where(_CALLS.c.key == key, _CALLS.c.answer.is_(None))
            .values(answer=answer.model_dump(mode="json"), answered_at=timestamp(), under_way=False)
        )
        with self._engine.begin() as connection:
            if connection.execute(stored).rowcount:
                count_answer(connection, self._engine, key, answer)
            standing = connection.scalar(select(_CALLS.c.answer).where(_CALLS.c.key == key))
        return ModelAnswer.model_validate(standing)


def _cut_off(key: str) -> dict[str, str | int]:
    """Return the failure of a request that nobody saw the end of: it may have been paid."""
    told = {"code": CUT_OFF, "message": "the gateway ended in the middle of it", "deployment": ""}
    return {"key": key, "milliseconds": 0, "at": timestamp(), **told}
