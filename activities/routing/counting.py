"""Counts calls that write rows, in the transaction in which the ledger keeps their answer: each once."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, func, select, update

from activities.llm.contracts import ModelAnswer
from activities.records.database import timestamp, upsert
from activities.routing.tables import RouteRow, ShareRow
from temporal.contract import workflow_place

WRITES: Final = "model"
_ROUTES = RouteRow.__table__  # type: ignore[attr-defined]
_SHARES = ShareRow.__table__  # type: ignore[attr-defined]
_COUNTS: Final = ("rows", "open_rows", "calls", "local_calls", "tokens", "local_tokens")


def count_answer(connection: Connection, engine: Engine, key: str, answer: ModelAnswer) -> None:
    """Count a call by its idempotency key; one that writes no row counts for nothing.

    Such is a judge's; and where an answer of before served, nobody was called.
    """
    place, _, step = key.rpartition("/")[0].rpartition("/")
    run, row = workflow_place(place) or ("", None)
    if step != WRITES or row is None:
        return
    here = (_ROUTES.c.run == run) & (_ROUTES.c.row == row) & _ROUTES.c.under_way
    connection.execute(update(_ROUTES).where(here).values(under_way=False))
    if answer.cached_from:
        return
    tokens = answer.prompt_tokens + answer.completion_tokens
    local = {"local_calls": 1, "local_tokens": tokens} if answer.local else {}
    add(connection, engine, run, timestamp()[:10], calls=1, tokens=tokens, **local)


def add(connection: Connection, engine: Engine, run: str, day: str, **counts: int) -> None:
    """Add to what is counted of a run on a day; who adds next waits until this transaction ends."""
    values = {"run": run, "day": day, **dict.fromkeys(_COUNTS, 0), **counts}
    known = {name: _SHARES.c[name] + number for name, number in counts.items()}
    statement = upsert(engine, ShareRow).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["run", "day"], set_=known))


def calls_of(connection: Connection, runs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return by run how many calls wrote its rows, and how many of them local models answered."""
    sums = [func.sum(_SHARES.c[name]).label(name) for name in ("calls", "local_calls")]
    wanted = select(_SHARES.c.run, *sums).where(_SHARES.c.run.in_(runs)).group_by(_SHARES.c.run)
    found = connection.execute(wanted)
    return {one.run: {"calls": int(one.calls), "local_calls": int(one.local_calls)} for one in found}
