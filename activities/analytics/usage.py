"""Usage read from the ledger of calls."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, case, func, select

from activities.analytics.contracts import Amount, Failures, ModelUsage, Part, Unit, Usage
from activities.llm.cache_contracts import CacheLevel
from activities.llm.groups import LOCAL
from activities.records.database import timestamp
from activities.records.tables import CallFailureRow, CallRow
from activities.records.transactions import Transactions

_CALLS = CallRow.__table__  # type: ignore[attr-defined]
_FAILURES = CallFailureRow.__table__  # type: ignore[attr-defined]
# As many latencies are read; of a busier period the newest.
NEWEST: Final = 5000
MOST_MODELS: Final = 50
MOST_FAILURES: Final = 50
# Two days and less are told by the hour.
_HOURLY_DAYS: Final = 2
_SHOWN: Final = {Unit.HOUR: 13, Unit.DAY: 10}
_CACHED: Final = ("cached", "joined", "semantic")
_SUMS: Final = ("calls", "local", *_CACHED, "prompt_tokens", "completion_tokens", "cost_usd", "saved_usd")


async def usage(engine: Engine, days: int, now: datetime | None = None) -> Usage:
    """Return what model calls of the last days amount to.

    Args:
        engine: The records database.
        days: How many days, today included; up to two are told by the hour.
        now: The present moment.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    now = now or datetime.now(UTC)
    unit = Unit.HOUR if days <= _HOURLY_DAYS else Unit.DAY
    begins = list(_beginnings(now, days, unit))
    since = timestamp(begins[0])

    def read(connection: Connection) -> Usage:
        amounts = connection.execute(_by("part", since, unit)).mappings()
        known = {row["part"]: {name: row[name] or 0 for name in _SUMS} for row in amounts}
        parts = [Part(at=timestamp(at), **known.get(timestamp(at)[: _SHOWN[unit]], {})) for at in begins]
        total = Amount(**{name: sum(getattr(part, name) for part in parts) for name in _SUMS})
        return Usage(
            since=since,
            unit=unit,
            total=total,
            parts=tuple(parts),
            models=tuple(_models(connection, since, unit)),
            failures=tuple(_failures(connection, since)),
        )

    return await Transactions(engine).read(read)


def quantile(ordered: Sequence[int], share: float) -> int:
    """Return the smallest value that at least this share of the values does not exceed (nearest rank); pure."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def _beginnings(now: datetime, days: int, unit: Unit) -> Iterator[datetime]:
    step = timedelta(hours=1) if unit is Unit.HOUR else timedelta(days=1)
    count = days * 24 if unit is Unit.HOUR else days
    last = now.replace(minute=0, second=0, microsecond=0)
    last = last if unit is Unit.HOUR else last.replace(hour=0)
    for back in range(count - 1, -1, -1):
        yield last - back * step


def _told(since: str, unit: Unit) -> Any:  # noqa: ANN401 -- an SQL subquery
    """Return answered calls with what their answers say; a field that older answers lack is null.

    It is a subquery, as PostgreSQL takes two parameters for different expressions even where they are equal.
    """
    answer = _CALLS.c.answer
    model = answer["model"].as_string()
    cached = func.coalesce(answer["cached_from"].as_string(), "") != ""
    return (
        select(
            func.substr(_CALLS.c.answered_at, 1, _SHOWN[unit]).label("part"),
            model.label("model"),
            # Before answers said so themselves, the embedded model was the only one known to be local.
            case((answer["local"].as_boolean() | model.startswith(f"{LOCAL}/"), 1), else_=0).label("local"),
            case((cached, 1), else_=0).label("cached"),
            case((answer["cache_level"].as_string() == CacheLevel.JOINED, 1), else_=0).label("joined"),
            case((answer["cache_level"].as_string() == CacheLevel.SEMANTIC, 1), else_=0).label("semantic"),
            case((answer["attempt"].as_integer() > 1, 1), else_=0).label("again"),
            answer["prompt_tokens"].as_integer().label("prompt_tokens"),
            answer["completion_tokens"].as_integer().label("completion_tokens"),
            answer["cost_usd"].as_float().label("cost_usd"),
            answer["saved_usd"].as_float().label("saved_usd"),
            answer["latency_ms"].as_integer().label("latency_ms"),
            _CALLS.c.answered_at,
        )
        .where(_CALLS.c.answered_at >= since, answer.is_not(None))
        .subquery()
    )


def _by(name: str, since: str, unit: Unit) -> Any:  # noqa: ANN401 -- an SQL statement
    told = _told(since, unit)
    sums = [func.sum(told.c[one]).label(one) for one in (*_SUMS[1:], "again")]
    return select(told.c[name], func.count().label("calls"), *sums).group_by(told.c[name])


def _models(connection: Connection, since: str, unit: Unit) -> Iterator[ModelUsage]:
    told = _told(since, unit)
    newest = select(told.c.model, told.c.latency_ms).where(told.c.cached == 0)
    newest = newest.order_by(told.c.answered_at.desc()).limit(NEWEST)
    latencies: dict[str, list[int]] = {}
    for model, milliseconds in connection.execute(newest):
        latencies.setdefault(model, []).append(milliseconds or 0)
    found = [dict(row) for row in connection.execute(_by("model", since, unit)).mappings()]
    found.sort(key=lambda row: (-(row["cost_usd"] or 0), -row["calls"], row["model"]))
    for row in found[:MOST_MODELS]:
        took = sorted(latencies.get(row["model"], ()))
        yield ModelUsage(
            **{name: value or 0 for name, value in row.items() if name != "model"},
            model=row["model"],
            median_ms=quantile(took, 0.5) if took else None,
            slow_ms=quantile(took, 0.95) if took else None,
        )


def _failures(connection: Connection, since: str) -> Iterator[Failures]:
    kind = (_FAILURES.c.deployment, _FAILURES.c.code)
    last = func.max(_FAILURES.c.id).label("last")
    counted = (
        select(func.count().label("failed"), last).where(_FAILURES.c.at >= since).group_by(*kind).subquery("counted")
    )
    statement = (
        select(*kind, counted.c.failed, _FAILURES.c.at.label("last_at"), _FAILURES.c.message)
        .join(counted, counted.c.last == _FAILURES.c.id)
        .order_by(counted.c.failed.desc(), _FAILURES.c.id.desc())
        .limit(MOST_FAILURES)
    )
    for row in connection.execute(statement).mappings():
        yield Failures.model_validate(dict(row))
