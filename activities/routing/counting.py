"""Counts calls that write rows, in the transaction in which the ledger keeps their answer: each once."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Engine, func, select, update

from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.records.database import timestamp, upsert
from activities.routing.tables import BoardShareRow, RouteRow, ShareRow

WRITES: Final = "model"
_ROUTES = RouteRow.__table__  # type: ignore[attr-defined]
_SHARES = ShareRow.__table__  # type: ignore[attr-defined]


def count_answer(connection: Connection, engine: Engine, request: ModelRequest, answer: ModelAnswer) -> None:
    """Count a call; one that writes no row counts for nothing.

    Such is a judge's; and where an answer of before served, nobody was called.
    """
    step = request.step
    if step.step != WRITES:
        return
    here = (_ROUTES.c.run == step.run) & (_ROUTES.c.row == step.row) & _ROUTES.c.under_way
    connection.execute(update(_ROUTES).where(here).values(under_way=False))
    if answer.cached_from:
        return
    tokens = answer.prompt_tokens + answer.completion_tokens
    local = {"local_calls": 1, "local_tokens": tokens} if answer.local else {}
    counts, day = {"calls": 1, "tokens": tokens, **local}, timestamp()[:10]
    add(connection, engine, step.run, day, **counts)
    _add(connection, engine, BoardShareRow, {"run": step.run, "board": request.board, "day": day}, counts)


def add(connection: Connection, engine: Engine, run: str, day: str, **counts: int) -> None:
    """Add to what is counted of a run on a day; who adds next waits until this transaction ends."""
    _add(connection, engine, ShareRow, {"run": run, "day": day}, counts)


def _add(
    connection: Connection,
    engine: Engine,
    shares: type[ShareRow | BoardShareRow],
    key: dict[str, str],
    counts: dict[str, int],
) -> None:
    table = shares.__table__  # type: ignore[union-attr]
    none = {column.name: 0 for column in table.c if column.name not in key}
    known = {name: table.c[name] + number for name, number in counts.items()}
    statement = upsert(engine, shares).values({**key, **none, **counts})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=known))


def calls_of(connection: Connection, runs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return by run how many calls wrote its rows, and how many of them local models answered."""
    sums = [func.sum(_SHARES.c[name]).label(name) for name in ("calls", "local_calls")]
    wanted = select(_SHARES.c.run, *sums).where(_SHARES.c.run.in_(runs)).group_by(_SHARES.c.run)
    found = connection.execute(wanted)
    return {one.run: {"calls": int(one.calls), "local_calls": int(one.local_calls)} for one in found}
