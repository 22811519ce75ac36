"""What kept deployments from answering, read from the records: failed requests, where their calls went, circuits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, select

from activities.analytics.contracts import FailoverEvent, Failovers, Next
from activities.records.database import timestamp
from activities.records.tables import CallFailureRow, CallRow, CircuitChangeRow
from activities.records.transactions import Transactions

# As many as a page shows and draws.
NEWEST: Final = 200
_CALLS = CallRow.__table__  # type: ignore[attr-defined]
_FAILURES = CallFailureRow.__table__  # type: ignore[attr-defined]
_CHANGES = CircuitChangeRow.__table__  # type: ignore[attr-defined]


async def failovers(engine: Engine, days: int, limit: int = NEWEST, now: datetime | None = None) -> Failovers:
    """Return the newest incidents of the last days.

    Args:
        engine: The records database.
        days: How many days back, to the second.
        limit: How many at most.
        now: The present moment.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    now = now or datetime.now(UTC)
    since = timestamp(now - timedelta(days=days))

    def read(connection: Connection) -> Failovers:
        failed, changed = (_newest(connection, table, since, limit + 1) for table in (_FAILURES, _CHANGES))
        places = [(row["at"], 0, row["id"], row) for row in failed] + [
            (row["at"], 1, row["id"], row) for row in changed
        ]
        places.sort(key=lambda place: place[:3], reverse=True)
        shown = [(is_change, row) for _, is_change, _, row in places[:limit]]
        calls = _Calls(connection, {row["key"] for is_change, row in shown if not is_change})
        events = tuple(_circuit(row) if is_change else _request(row, calls) for is_change, row in shown)
        return Failovers(since=since, until=timestamp(now), events=events, more=len(places) > limit)

    return await Transactions(engine).read(read)


class _Calls:
    """What became of calls.

    Args:
        connection: Reads them at once.
        keys: Whose.
    """

    def __init__(self, connection: Connection, keys: set[str]) -> None:
        answered = _CALLS.c.answer["model"].as_string().label("model")
        columns = _CALLS.c.key, _CALLS.c.under_way, answered
        self._calls = {one.key: one for one in connection.execute(select(*columns).where(_CALLS.c.key.in_(keys)))}
        self._failed: dict[str, list[Any]] = {}
        failed = select(_FAILURES.c.id, _FAILURES.c.key, _FAILURES.c.deployment).where(_FAILURES.c.key.in_(keys))
        for one in connection.execute(failed.order_by(_FAILURES.c.id)):
            self._failed.setdefault(one.key, []).append(one)

    def after(self, key: str, number: int) -> tuple[Next, str]:
        """Return what became of the request after a failed one, and who got it."""
        later = next((one for one in self._failed[key] if one.id > number), None)
        if later is not None:
            return Next.FAILED, later.deployment
        call = self._calls.get(key)
        if call is None or not (call.model or call.under_way):
            return Next.NOBODY, ""
        return (Next.ANSWERED, call.model) if call.model else (Next.UNDER_WAY, "")


def _newest(connection: Connection, table: Any, since: str, limit: int) -> Sequence[RowMapping]:  # noqa: ANN401 -- SQLAlchemy's
    newest = select(table).where(table.c.at >= since).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    return connection.execute(newest).mappings().all()


def _request(row: RowMapping, calls: _Calls) -> FailoverEvent:
    became, model = calls.after(row["key"], row["id"])
    told = {"deployment": row["name"], "model": row["deployment"], "fault": row["code"]}
    return FailoverEvent.model_validate({**row, **told, "next": became, "next_model": model})


def _circuit(row: RowMapping) -> FailoverEvent:
    told = {"deployment": row["name"], "model": row["deployment"], "message": row["reason"]}
    return FailoverEvent.model_validate({**row, **told})
