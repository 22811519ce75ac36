"""The writing side of the records database, on SQLAlchemy Core: idempotent upserts, one transaction each."""

from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from activities.artifacts.contracts import Text, Texts
from activities.artifacts.files import Files, StoredFile, snapshot_of
from activities.audit.log import append
from activities.audit.rows import growth_event, row_events, run_event, steering_event
from activities.records.contracts import (
    RowAsked,
    RowChanges,
    RowEnding,
    RowRecord,
    RowState,
    RunChange,
    RunGrowth,
    RunOpening,
    RunState,
    Steering,
)
from activities.records.database import timestamp, upsert
from activities.records.tables import EventRow, RunRow, StepRow, TaskRecord
from activities.records.transactions import Transactions

_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_ENDS = [state.value for state in RowState if state.ended]


class SqlRecordKeeper:
    """Writes runs, rows, steps and their events.

    Args:
        engine: The records database.
        texts: Where outputs too large for a column are read from and kept, and lists of files are read from.
    """

    def __init__(self, engine: Engine, texts: Texts) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._texts = texts
        self._files = Files(texts.store)

    async def open_run(self, opening: RunOpening) -> None:
        """Insert the run unless it is there."""
        await self._transactions.run(lambda connection: self._open_run(connection, opening))

    async def open_rows(self, run: str, rows: list[dict[str, Any]]) -> None:
        """Insert pending rows unless they are there."""
        await self._transactions.run(lambda connection: self._open_rows(connection, run, rows))

    async def grow_run(self, growth: RunGrowth, rows: list[dict[str, Any]], waiting: dict[str, list[str]]) -> None:
        """Insert pending rows that were planned, unless they are there, and have others wait for them."""
        await self._transactions.run(lambda connection: self._grow_run(connection, growth, rows, waiting))

    async def change_run(self, change: RunChange) -> None:
        """Set a run's state unless a newer change is recorded."""
        await self._transactions.run(lambda connection: self._change_run(connection, change))

    async def change_rows(self, changes: RowChanges) -> None:
        """Set rows' states."""
        await self._transactions.run(lambda connection: self._change_rows(connection, changes))

    async def record_row(self, record: RowRecord) -> None:
        """Write a row's end and its steps."""
        output = None
        if record.output is not None:
            # The text is kept as an artifact too, so that provenance can be checked by digest alone.
            output = await self._texts.keep(await self._texts.read(record.output))
            record = record.model_copy(update={"output": output})
        files = await self._files.list(record.files)
        await self._transactions.run(lambda connection: self._record_row(connection, record, files))

    async def row_ending(self, asked: RowAsked) -> RowEnding:
        """Return how a row that is recorded stands."""
        here = (_ROWS.c.run == asked.run) & (_ROWS.c.row == asked.row)
        statement = select(_ROWS.c.state, _ROWS.c.output_digest, _ROWS.c.files).where(here)
        state, digest, files = await self._transactions.run(lambda connection: connection.execute(statement).one())
        output = None
        if digest:
            text = await self._texts.read(Text(digest=digest, size=0))
            output = Text(digest=digest, size=len(text.encode()))
        left = snapshot_of(map(StoredFile.model_validate, files)) if files else None
        return RowEnding(state=RowState(state), output=output, files=left)

    async def steered(self, steering: Steering) -> None:
        """Tell the audit log that somebody steers a run, unless it was told."""
        await self._transactions.run(lambda connection: append(connection, steering_event(steering)))

    def _open_run(self, connection: Connection, opening: RunOpening) -> None:
        connection.execute(
            upsert(self._engine, RunRow).on_conflict_do_nothing(),
            {
                "run": opening.run,
                "title": opening.title,
                "plan": opening.plan,
                "submitter": opening.submitter,
                "state": RunState.SUBMITTED.value,
                "sequence": -1,
                "total": 0,
                "budget": None if opening.budget_usd is None else round(opening.budget_usd * 1_000_000),
                "policy": opening.policy,
                "created_at": opening.started_at,
            },
        )
        append(connection, run_event(opening))

    def _open_rows(self, connection: Connection, run: str, rows: list[dict[str, Any]]) -> None:
        connection.execute(
            upsert(self._engine, TaskRecord).on_conflict_do_nothing(),
            [{"run": run, "state": RowState.PENDING.value, **row} for row in rows],
        )
        total = connection.scalar(select(func.count()).select_from(_ROWS).where(_ROWS.c.run == run))
        connection.execute(update(_RUNS).where(_RUNS.c.run == run).values(total=total))

    def _grow_run(
        self, connection: Connection, growth: RunGrowth, rows: list[dict[str, Any]], waiting: dict[str, list[str]]
    ) -> None:
        self._open_rows(connection, growth.run, rows)
        for row, upstream in waiting.items():
            here = (_ROWS.c.run == growth.run) & (_ROWS.c.row == row)
            connection.execute(update(_ROWS).where(here).values(upstream=upstream))
        connection.execute(update(_RUNS).where(_RUNS.c.run == growth.run).values(grown=growth.plan))
        body = {"state": RowState.PENDING.value, "attempt": 1, "planned_by": growth.by}
        for row in growth.rows:
            self._event(connection, growth.run, row, "row", f"{growth.run}/{row}/planned", growth.at, body)
        append(connection, growth_event(growth))

    def _change_run(self, connection: Connection, change: RunChange) -> None:
        values: dict[str, Any] = {
            "state": change.state.value,
            "sequence": change.sequence,
            "finished_at": change.at if change.state.ended else None,
        }
        if change.concurrency is not None:
            values["concurrency"] = change.concurrency
        if change.state is RunState.RUNNING:
            values["started_at"] = func.coalesce(_RUNS.c.started_at, change.at)
        connection.execute(
            update(_RUNS).where(_RUNS.c.run == change.run, _RUNS.c.sequence < change.sequence).values(values)
        )
        if change.state is RunState.CANCELLED:
            here = (_ROWS.c.run == change.run) & _ROWS.c.state.not_in(_ENDS)
            connection.execute(update(_ROWS).where(here).values(state=RowState.CANCELLED.value, finished_at=change.at))
        body = {"state": change.state.value, "concurrency": change.concurrency}
        self._event(connection, change.run, "", "run", f"{change.run}/{change.sequence}", change.at, body)

    def _change_rows(self, connection: Connection, changes: RowChanges) -> None:
        for change in changes.changes:
            here = (_ROWS.c.run == changes.run) & (_ROWS.c.row == change.row)
            # A repeated or late change never takes back the end that the same attempt has reached.
            newer = (_ROWS.c.attempt < change.attempt) | (_ROWS.c.state.not_in(_ENDS))
            values = {
                "state": change.state.value,
                "attempt": change.attempt,
                "code": change.code,
                "message": change.message,
                "finished_at": changes.at if change.state.ended else None,
            }
            connection.execute(update(_ROWS).where(here & newer).values(values))
            body = change.model_dump(mode="json", exclude={"row"})
            key = f"{changes.run}/{change.row}/{change.attempt}/{change.state.value}"
            self._event(connection, changes.run, change.row, "row", key, changes.at, body)

    def _record_row(self, connection: Connection, record: RowRecord, files: tuple[StoredFile, ...]) -> None:
        step = record.step
        values = {
            "state": record.state.value,
            "attempt": step.attempt,
            "generation": record.generation,
            "code": record.code,
            "message": record.message,
            "output_digest": record.output.digest if record.output else None,
            "output": record.output.inline if record.output else None,
            "model": record.model,
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "cost_usd": record.cost_usd,
            "saved_usd": record.saved_usd,
            "cached_calls": record.cached_calls,
            "similar": [one.model_dump(mode="json") for one in record.similar],
            "envelope": record.envelope,
            "verdicts": [verdict.model_dump(mode="json") for verdict in record.verdicts],
            "findings": [finding.model_dump(mode="json") for finding in record.findings],
            "files": [one.model_dump(mode="json") for one in files],
            "started_at": record.started_at,
            "finished_at": record.finished_at,
        }
        if trial := record.trial:
            values |= trial.model_dump(include={"experiment", "variant", "unit", "agent", "prompt_version"})
        here = (_ROWS.c.run == step.run) & (_ROWS.c.row == step.row) & (_ROWS.c.attempt <= step.attempt)
        connection.execute(update(_ROWS).where(here).values(values))
        if record.steps:
            self._steps(connection, record)
        body = {
            "state": record.state.value,
            "attempt": step.attempt,
            "generation": record.generation,
            "code": record.code,
            "message": record.message,
            "cost_usd": record.cost_usd,
            "model": record.model,
        }
        key = f"{step.run}/{step.row}/{step.attempt}/{record.state.value}"
        self._event(connection, step.run, step.row, "row", key, record.finished_at or timestamp(), body)
        append(connection, *row_events(record))

    def _steps(self, connection: Connection, record: RowRecord) -> None:
        place = {"run": record.step.run, "row": record.step.row, "attempt": record.step.attempt}
        statement = upsert(self._engine, StepRow)
        statement = statement.on_conflict_do_update(
            index_elements=["run", "row", "attempt", "step", "ordinal"],
            set_={
                name: statement.excluded[name] for name in ("state", "started_at", "finished_at", "summary", "detail")
            },
        )
        connection.execute(statement, [place | one.model_dump(mode="json") for one in record.steps])

    def _event(
        self, connection: Connection, run: str, row: str, kind: str, key: str, at: str, body: dict[str, Any]
    ) -> None:
        connection.execute(
            upsert(self._engine, EventRow).on_conflict_do_nothing(),
            {
                "key": f"{kind}/{key}",
                "run": run,
                "row": row,
                "kind": kind,
                "at": at or timestamp(),
                "body": body,
            },
        )
