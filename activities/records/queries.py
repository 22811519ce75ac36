"""The reading side of the records database."""

import functools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Boolean, Connection, Engine, Select, case, exists, false, func, literal_column, select

from activities.records.contracts import RowState
from activities.records.database import timestamp
from activities.records.incidents import failures_of
from activities.records.tables import EventRow, RunRow, StepRow, TaskRecord
from activities.records.transactions import Transactions
from activities.records.views import (
    EventView,
    RowDetail,
    RowNode,
    RowSpan,
    RowView,
    RunView,
    StepView,
)
from activities.routing.counting import calls_of
from temporal.contract import Contract

View = TypeVar("View", bound=Contract)

_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_STEPS = StepRow.__table__  # type: ignore[attr-defined]
_EVENTS = EventRow.__table__  # type: ignore[attr-defined]
_BATCH = 500
# Transactions of PostgreSQL commit in any order: an event is shown when no older transaction is still writing, so that
# a reader who goes on from its id misses none. Ours write for milliseconds; one that hangs elsewhere delays no longer.
_SETTLED = literal_column("age(events.xmin) > age(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS xid))", Boolean)
LATE_SECONDS = 5
# How far back a live run's rate looks.
RATE_SECONDS = 60


class RecordQueries:
    """Reads what was recorded.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def runs(
        self,
        *,
        state: str = "",
        text: str = "",
        before: str = "",
        limit: int = 50,
        boards: frozenset[str] | None = None,
    ) -> list[RunView]:
        """Return runs, newest first.

        Args:
            state: Only runs in this state.
            text: Only runs whose title or id holds this text.
            before: Only runs after this one's place in the list: its ``cursor``, or a moment.
            limit: How many at most.
            boards: Only runs with rows of these boards and no others.
        """
        statement = select(_RUNS).order_by(_RUNS.c.created_at.desc(), _RUNS.c.run).limit(limit)
        if boards is not None:
            here = _ROWS.c.run == _RUNS.c.run
            statement = statement.where(exists().where(here), ~exists().where(here, _ROWS.c.board.not_in(boards)))
        if state:
            statement = statement.where(_RUNS.c.state == state)
        if text:
            statement = statement.where(
                _RUNS.c.title.icontains(text, autoescape=True) | _RUNS.c.run.icontains(text, autoescape=True)
            )
        if before:
            moment, _, last = before.partition("~")
            same = (_RUNS.c.created_at == moment) & (_RUNS.c.run > last) if last else false()
            statement = statement.where((_RUNS.c.created_at < moment) | same)
        return await self._transactions.read(lambda connection: _run_views(connection, statement))

    async def run(self, run: str) -> RunView | None:
        """Return one run, or ``None``."""
        views = await self._transactions.read(
            lambda connection: _run_views(connection, select(_RUNS).where(_RUNS.c.run == run))
        )
        return views[0] if views else None

    async def rows(
        self, run: str, *, state: str = "", board: str = "", text: str = "", after: int = -1, limit: int = 100
    ) -> list[RowView]:
        """Return rows of a run in plan order.

        Args:
            run: The run.
            state: Only rows in this state.
            board: Only rows of this board.
            text: Only rows whose id, title or objective holds this text.
            after: Only rows after this position (the cursor).
            limit: How many at most.
        """
        statement = select(_ROWS).where(_ROWS.c.run == run, _ROWS.c.position > after)
        if state:
            statement = statement.where(_ROWS.c.state == state)
        if board:
            statement = statement.where(_ROWS.c.board == board)
        if text:
            columns = (_ROWS.c.row, _ROWS.c.title, _ROWS.c.objective)
            found = [column.icontains(text, autoescape=True) for column in columns]
            statement = statement.where(found[0] | found[1] | found[2])
        statement = statement.order_by(_ROWS.c.position).limit(limit)
        return await self._transactions.read(lambda connection: _views(connection, statement, RowView))

    async def row(self, run: str, row: str) -> RowDetail | None:
        """Return one row with its steps, or ``None``."""

        def read(connection: Connection) -> RowDetail | None:
            here = select(_ROWS).where(_ROWS.c.run == run, _ROWS.c.row == row)
            found = connection.execute(here).mappings().first()
            if found is None:
                return None
            steps = select(_STEPS).where(_STEPS.c.run == run, _STEPS.c.row == row)
            ordered = steps.order_by(_STEPS.c.attempt, _STEPS.c.started_at, _STEPS.c.finished_at)
            failed = list(failures_of(connection, run, row))
            told = {"steps": _views(connection, ordered, StepView), "failed_requests": failed}
            return RowDetail.model_validate(dict(found) | told)

        return await self._transactions.read(read)

    async def nodes(self, run: str, *, board: str = "", limit: int) -> list[RowNode]:
        """Return rows of a run, or of one of its boards, as its graph needs them, in plan order."""
        columns = (_ROWS.c.row, _ROWS.c.board, _ROWS.c.title, _ROWS.c.state, _ROWS.c.upstream)
        statement = select(*columns).where(_ROWS.c.run == run).order_by(_ROWS.c.position).limit(limit)
        if board:
            statement = statement.where(_ROWS.c.board == board)
        return await self._transactions.read(lambda connection: _views(connection, statement, RowNode))

    async def spans(self, run: str, *, board: str = "", limit: int) -> list[RowSpan]:
        """Return rows of a run, or of one of its boards, in the order in which they began, with their newest steps."""
        columns = (_ROWS.c.row, _ROWS.c.title, _ROWS.c.state, _ROWS.c.attempt, _ROWS.c.started_at, _ROWS.c.finished_at)
        begun = select(*columns).where(_ROWS.c.run == run, _ROWS.c.started_at.is_not(None))
        if board:
            begun = begun.where(_ROWS.c.board == board)
        begun = begun.order_by(_ROWS.c.started_at, _ROWS.c.position).limit(limit)
        shown = begun.subquery()
        newest = (_STEPS.c.run == run) & (_STEPS.c.row == shown.c.row) & (_STEPS.c.attempt == shown.c.attempt)
        columns_of_steps = [column for column in _STEPS.c if column.name not in {"run", "detail"}]
        steps = select(*columns_of_steps).join(shown, newest).order_by(_STEPS.c.started_at, _STEPS.c.finished_at)

        def read(connection: Connection) -> list[RowSpan]:
            done: dict[str, list[dict[str, Any]]] = {}
            for step in connection.execute(steps).mappings():
                done.setdefault(step["row"], []).append({name: step[name] for name in step if name != "row"})
            rows = connection.execute(begun).mappings()
            return [RowSpan.model_validate(dict(row) | {"steps": done.get(row["row"], [])}) for row in rows]

        return await self._transactions.read(read)

    async def counts_by_board(self, run: str) -> dict[str, dict[RowState, int]]:
        """Return how many rows of each board are in which state."""
        by = (_ROWS.c.board, _ROWS.c.state)
        statement = select(*by, func.count()).where(_ROWS.c.run == run).group_by(*by).order_by(_ROWS.c.board)

        def read(connection: Connection) -> dict[str, dict[RowState, int]]:
            boards: dict[str, dict[RowState, int]] = {}
            for board, state, rows in connection.execute(statement):
                boards.setdefault(board, {})[RowState(state)] = rows
            return boards

        return await self._transactions.read(read)

    async def results(self, run: str) -> AsyncIterator[RowView]:
        """Yield every row of a run in plan order, a batch of them in memory."""
        after = -1
        while batch := await self.rows(run, after=after, limit=_BATCH):
            for view in batch:
                yield view
            after = batch[-1].position

    async def decisions(self, run: str, steps: Sequence[str]) -> AsyncIterator[tuple[RowView, list[StepView]]]:
        """Yield every row of a run in plan order with those of its steps that are named, in the order they began."""
        after = -1
        while batch := await self.rows(run, after=after, limit=_BATCH):
            here = (_STEPS.c.run == run) & _STEPS.c.row.in_([view.row for view in batch]) & _STEPS.c.step.in_(steps)
            wanted = select(_STEPS).where(here).order_by(_STEPS.c.attempt, _STEPS.c.started_at, _STEPS.c.finished_at)
            found: dict[str, list[StepView]] = {view.row: [] for view in batch}
            for row, step in await self._transactions.read(functools.partial(_steps_by_row, wanted)):
                found[row].append(step)
            for view in batch:
                yield view, found[view.row]
            after = batch[-1].position

    async def events(self, after: int, *, run: str = "", limit: int = 500) -> list[EventView]:
        """Return events after an id, oldest first; one with a lower id never turns up later."""
        statement = select(_EVENTS).where(_EVENTS.c.id > after).order_by(_EVENTS.c.id).limit(limit)
        if self._engine.dialect.name == "postgresql":
            late = timestamp(datetime.now(UTC) - timedelta(seconds=LATE_SECONDS))
            statement = statement.where(_SETTLED | (_EVENTS.c.at < late))
        if run:
            statement = statement.where(_EVENTS.c.run == run)
        return await self._transactions.read(lambda connection: _views(connection, statement, EventView))

    async def last_event(self) -> int:
        """Return the id of the newest event, or 0."""
        newest = await self._transactions.read(lambda connection: connection.scalar(select(func.max(_EVENTS.c.id))))
        return int(newest or 0)

    async def boards(self, run: str, row: str = "") -> list[str]:
        """Return the boards of a run, or of one of its rows."""
        statement = select(_ROWS.c.board).where(_ROWS.c.run == run).distinct().order_by(_ROWS.c.board)
        if row:
            statement = statement.where(_ROWS.c.row == row)
        return await self._transactions.read(lambda connection: list(connection.scalars(statement)))

    async def counts_by_state(self) -> dict[str, dict[str, int]]:
        """Return how many runs and rows are in which state, for metrics."""

        def read(connection: Connection) -> dict[str, dict[str, int]]:
            return {
                name: dict(tuple(row) for row in connection.execute(_by_state(table)))
                for name, table in (("runs", _RUNS), ("rows", _ROWS))
            }

        return await self._transactions.read(read)

    async def spend(self, since: Sequence[str]) -> list[tuple[str, int, float, float, float]]:
        """Return model, rows and cost of the rows that ended lately, the dearest first.

        Args:
            since: Three moments, the newest first: from when on each of the three costs counts.
        """
        costs = [func.sum(case((_ROWS.c.finished_at >= moment, _ROWS.c.cost_usd), else_=0.0)) for moment in since]
        statement = (
            select(_ROWS.c.model, func.count(), *costs)
            .where(_ROWS.c.finished_at >= since[-1], _ROWS.c.model != "")
            .group_by(_ROWS.c.model)
            .order_by(costs[-1].desc(), _ROWS.c.model)
        )
        return await self._transactions.read(lambda connection: [tuple(row) for row in connection.execute(statement)])

    async def outcomes(self, run: str) -> list[tuple[str, str, int, int, str | None]]:
        """Return id, state, attempt, generation and output digest of every row: what a retry starts from."""
        statement = (
            select(_ROWS.c.row, _ROWS.c.state, _ROWS.c.attempt, _ROWS.c.generation, _ROWS.c.output_digest)
            .where(_ROWS.c.run == run)
            .order_by(_ROWS.c.position)
        )
        return await self._transactions.read(lambda connection: [tuple(row) for row in connection.execute(statement)])

    async def ping(self) -> None:
        """Ask the database for nothing.

        Raises:
            RecordsUnavailable: It does not answer.
        """
        await self._transactions.read(lambda connection: connection.scalar(select(1)))


def _views(connection: Connection, statement: Select[Any], view: type[View]) -> list[View]:
    rows = connection.execute(statement).mappings()
    return [view.model_validate(dict(row)) for row in rows]


def _steps_by_row(wanted: Select[Any], connection: Connection) -> list[tuple[str, StepView]]:
    return [(one["row"], StepView.model_validate(dict(one))) for one in connection.execute(wanted).mappings()]


def _by_state(table: Any) -> Select[Any]:  # noqa: ANN401 -- a SQLAlchemy table
    return select(table.c.state, func.count()).group_by(table.c.state)


def _run_views(connection: Connection, statement: Select[Any]) -> list[RunView]:
    runs = [dict(row) for row in connection.execute(statement).mappings()]
    named = [run["run"] for run in runs]
    totals, calls = _totals(connection, named), calls_of(connection, named)
    return [
        RunView.model_validate(run | _summed(run, totals.get(run["run"], [])) | calls.get(run["run"], {}))
        for run in runs
    ]


def _totals(connection: Connection, runs: Sequence[str]) -> dict[str, list[Any]]:
    """Return rows, recent ends, cost and tokens by run and state."""
    recently = timestamp(datetime.now(UTC) - timedelta(seconds=RATE_SECONDS))
    statement = (
        select(
            _ROWS.c.run,
            _ROWS.c.state,
            func.count().label("rows"),
            func.sum(case((_ROWS.c.finished_at >= recently, 1), else_=0)).label("recent"),
            func.sum(_ROWS.c.cost_usd).label("cost"),
            func.sum(_ROWS.c.saved_usd).label("saved"),
            func.sum(_ROWS.c.cached_calls).label("cached"),
            func.sum(_ROWS.c.prompt_tokens).label("prompt"),
            func.sum(_ROWS.c.completion_tokens).label("completion"),
        )
        .where(_ROWS.c.run.in_(runs))
        .group_by(_ROWS.c.run, _ROWS.c.state)
    )
    totals: dict[str, list[Any]] = {}
    for row in connection.execute(statement):
        totals.setdefault(row.run, []).append(row)
    return totals


def _summed(run: dict[str, Any], totals: list[Any]) -> dict[str, Any]:
    counts = {total.state: total.rows for total in totals}
    ended = sum(rows for state, rows in counts.items() if RowState(state).ended)
    summed: dict[str, Any] = {
        "counts": counts,
        "cost_usd": sum(total.cost or 0 for total in totals),
        "saved_usd": sum(total.saved or 0 for total in totals),
        "cached_calls": sum(total.cached or 0 for total in totals),
        "prompt_tokens": sum(total.prompt or 0 for total in totals),
        "completion_tokens": sum(total.completion or 0 for total in totals),
    }
    if run["started_at"] and ended:
        last = datetime.fromisoformat(run["finished_at"]) if run["finished_at"] else datetime.now(UTC)
        elapsed = max((last - datetime.fromisoformat(run["started_at"])).total_seconds(), 0.001)
        rate = ended / elapsed
        recent = sum(total.recent for total in totals if RowState(total.state).ended)
        if not run["finished_at"]:
            # Of late, where rows end often enough: pauses, and the idle time before a retry, say nothing of now.
            rate = recent / min(elapsed, RATE_SECONDS) if recent else rate
            summed["eta_seconds"] = (run["total"] - ended) / rate
        summed["rows_per_second"] = rate
    return summed
