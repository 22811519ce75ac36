"""What kept deployments from answering, in the records: failed requests and what became of circuits."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Engine, Executable, func, insert, select

from activities.llm.incidents import CircuitChange, FailedRequest
from activities.records.database import timestamp
from activities.records.tables import CallFailureRow, CircuitChangeRow
from activities.records.transactions import answered
from activities.records.views import RequestView
from temporal.contract import StepRef

CUT_OFF: Final = "CutOff"
# A row's attempts are bounded, but not what it may be run again.
MOST_OF_A_ROW: Final = 200
_FAILURES = CallFailureRow.__table__  # type: ignore[attr-defined]
_CHANGES = CircuitChangeRow.__table__  # type: ignore[attr-defined]


class SqlIncidents:
    """Keeps incidents in the records database.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def failed(self, request: FailedRequest) -> None:
        """Keep a request that failed: how many there were counts, and people see who answers badly.

        Where the database does not answer, its own fault is raised and no ``PrismError``: the call then counts as cut
        off in the middle, so that its next attempt knows of this request all the same.
        """
        values = _placed(request.step) | {
            "number": request.number,
            "name": request.deployment,
            "deployment": request.model,
            "code": request.fault,
            "status": request.status,
            "message": request.message,
            "milliseconds": request.milliseconds,
        }
        await asyncio.to_thread(self._insert, insert(_FAILURES).values(values))

    async def changed(self, change: CircuitChange) -> None:
        """Keep what became of a circuit.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        values = {
            "name": change.deployment,
            "deployment": change.model,
            "change": change.change.value,
            "seconds": change.seconds,
            "reason": change.reason,
            "at": timestamp(),
        }
        await answered(lambda: self._insert(insert(_CHANGES).values(values)))

    def _insert(self, statement: Executable) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)


def sent(connection: Connection, key: str) -> int:
    """Return how many requests of a call failed."""
    return int(connection.scalar(select(func.count()).select_from(_FAILURES).where(_FAILURES.c.key == key)) or 0)


def cut_off(step: StepRef, number: int) -> dict[str, Any]:
    """Return the failure of a request that nobody saw the end of: it may have been paid."""
    told = {"code": CUT_OFF, "message": "the gateway ended in the middle of it", "deployment": "", "milliseconds": 0}
    return _placed(step) | told | {"number": number}


def failures_of(connection: Connection, run: str, row: str) -> Iterator[RequestView]:
    """Yield the newest requests for a row that failed, in the order in which they did."""
    here = select(_FAILURES).where(_FAILURES.c.run == run, _FAILURES.c.row == row)
    newest = connection.execute(here.order_by(_FAILURES.c.id.desc()).limit(MOST_OF_A_ROW)).mappings()
    for one in reversed(newest.all()):
        known = dict(one)
        told = {"deployment": known["name"], "model": known["deployment"], "fault": known["code"]}
        yield RequestView.model_validate(known | told)


def _placed(step: StepRef) -> dict[str, Any]:
    whose = step.model_dump(include={"run", "row", "step", "ordinal", "attempt"})
    return {"key": step.key, "at": timestamp(), **whose}
