"""The register of reviews in the records database: written by rows, read by inbox and review pages."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, delete, func, select, update

from activities.audit.log import append
from activities.audit.rows import review_events
from activities.feedback.register import keep_reviewers_votes
from activities.records.contracts import RowState
from activities.records.database import timestamp, upsert
from activities.records.tables import EventRow, RunRow, TaskRecord
from activities.records.transactions import Transactions
from activities.reviews.contracts import ReviewRecord, ReviewState
from activities.reviews.tables import ReviewerRow, ReviewRow
from activities.reviews.views import ReviewFilter, ReviewView

ANYONE: Final = "*"
_REVIEWS = ReviewRow.__table__  # type: ignore[attr-defined]
_REVIEWERS = ReviewerRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_PLACE: Final = ("run", "row", "attempt", "round")


class SqlReviewRegister:
    """Reviews in the records database.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def record(self, record: ReviewRecord) -> bool:
        """Write a round as it stands, unless a newer state of it is written; return whether it was."""
        return await self._transactions.run(lambda connection: self._record(connection, record))

    async def reviews(self, wanted: ReviewFilter) -> list[ReviewView]:
        """Return rounds that fit a filter, the most urgent first."""
        overdue_last = _REVIEWS.c.due_at.is_(None)
        statement = _filtered(_select(), wanted)
        statement = statement.order_by(overdue_last, _REVIEWS.c.due_at, _REVIEWS.c.opened_at, _ROWS.c.row)
        statement = statement.limit(wanted.limit).offset(wanted.offset)
        return await self._transactions.run(lambda connection: _views(connection, statement))

    async def waiting(self, wanted: ReviewFilter) -> int:
        """Return how many rounds fit a filter."""
        statement = _filtered(_select(func.count()), wanted)
        return await self._transactions.run(lambda connection: connection.scalar(statement) or 0)

    async def boards(self, wanted: ReviewFilter) -> list[str]:
        """Return the boards of the rounds that fit a filter."""
        statement = _filtered(_select(_ROWS.c.board), wanted).distinct().order_by(_ROWS.c.board)
        return await self._transactions.run(lambda connection: list(connection.scalars(statement)))

    async def rounds(self, run: str, row: str) -> list[ReviewView]:
        """Return every round of a row, of all its executions, the first first."""
        statement = _select().where(_REVIEWS.c.run == run, _REVIEWS.c.row == row)
        statement = statement.order_by(_REVIEWS.c.attempt, _REVIEWS.c.round)
        return await self._transactions.run(lambda connection: _views(connection, statement))

    def _record(self, connection: Connection, record: ReviewRecord) -> bool:
        step, terms = record.step, record.terms
        place = {"run": step.run, "row": step.row, "attempt": step.attempt, "round": record.round}
        values = {
            "state": record.state.value,
            "sequence": record.sequence,
            "reasons": list(record.reasons),
            "terms": terms.model_dump(mode="json"),
            "approvals": record.approvals,
            "claimed_by": record.claimed_by,
            "escalated": record.escalated,
            "overdue": record.overdue,
            "output_digest": record.output,
            "opened_at": record.opened_at,
            "due_at": terms.due_at,
            "decided_at": record.decided_at,
            "decided_by": record.decided_by,
            "comment": record.comment,
            "entries": [entry.model_dump(mode="json") for entry in record.entries],
        }
        inserted = connection.execute(
            upsert(self._engine, ReviewRow).on_conflict_do_nothing().returning(_REVIEWS.c.sequence), {**place, **values}
        ).first()
        if inserted is None:
            here = _here(_REVIEWS, place) & (_REVIEWS.c.sequence < record.sequence)
            if not connection.execute(update(_REVIEWS).where(here).values(values)).rowcount:
                return False
        connection.execute(delete(_REVIEWERS).where(_here(_REVIEWERS, place)))
        # Whom it may be escalated to has roles among the members as well, and is not asked yet.
        asked = dict.fromkeys(
            [*terms.reviewers, *(one for role in terms.reviewers for one in terms.members.get(role, ()))]
        )
        if not terms.reviewers:
            asked = {ANYONE: None}
        connection.execute(
            upsert(self._engine, ReviewerRow).on_conflict_do_nothing(), [{"reviewer": one, **place} for one in asked]
        )
        self._event(connection, record)
        keep_reviewers_votes(self._engine, connection, record)
        append(connection, *review_events(record))
        return True

    def _event(self, connection: Connection, record: ReviewRecord) -> None:
        step = record.step
        body = {
            "state": record.state.value,
            "round": record.round,
            "approvals": record.approvals,
            "claimed_by": record.claimed_by,
            "decided_by": record.decided_by,
        }
        connection.execute(
            upsert(self._engine, EventRow).on_conflict_do_nothing(),
            {
                "key": f"review/{step.run}/{step.row}/{step.attempt}/{record.round}/{record.sequence}",
                "run": step.run,
                "row": step.row,
                "kind": "review",
                "at": record.decided_at or timestamp(),
                "body": body,
            },
        )


def _select(*columns: Any) -> Select[Any]:  # noqa: ANN401 -- any SQL expression
    row = (_ROWS.c.run == _REVIEWS.c.run) & (_ROWS.c.row == _REVIEWS.c.row)
    told = (_ROWS.c.board, _ROWS.c.title, _ROWS.c.objective, _ROWS.c.risk, _ROWS.c.cost_usd)
    run = (_RUNS.c.title.label("run_title"), _RUNS.c.submitter)
    tables = _REVIEWS.join(_ROWS, row).join(_RUNS, _RUNS.c.run == _REVIEWS.c.run)
    return select(*(columns or (*_REVIEWS.c, *told, *run))).select_from(tables)


def _filtered(statement: Select[Any], wanted: ReviewFilter) -> Select[Any]:
    if wanted.state is ReviewState.WAITING:
        # A row that was terminated or cancelled from outside could not say that its review is over.
        current = (_ROWS.c.state == RowState.REVIEW.value) & (_ROWS.c.attempt == _REVIEWS.c.attempt)
        statement = statement.where(current)
    if wanted.state is not None:
        statement = statement.where(_REVIEWS.c.state == wanted.state.value)
    if wanted.reviewers is not None:
        statement = statement.where(_asked(wanted.reviewers))
    if wanted.person:
        four_eyes = _REVIEWS.c.terms["four_eyes"].as_boolean()
        statement = statement.where(~(four_eyes & (_RUNS.c.submitter == wanted.person)))
    if wanted.boards is not None:
        statement = statement.where(_ROWS.c.board.in_(wanted.boards))
    for column, value in ((_ROWS.c.board, wanted.board), (_ROWS.c.risk, wanted.risk), (_REVIEWS.c.run, wanted.run)):
        if value:
            statement = statement.where(column == value)
    if wanted.due_before:
        statement = statement.where(_REVIEWS.c.due_at <= wanted.due_before)
    if wanted.text:
        texts = [
            column.icontains(wanted.text, autoescape=True) for column in (_ROWS.c.row, _ROWS.c.title, _ROWS.c.objective)
        ]
        statement = statement.where(texts[0] | texts[1] | texts[2])
    return statement


def _asked(reviewers: Sequence[str]) -> Any:  # noqa: ANN401 -- an SQL condition
    same = [_REVIEWERS.c[name] == _REVIEWS.c[name] for name in _PLACE]
    return select(_REVIEWERS.c.reviewer).where(*same, _REVIEWERS.c.reviewer.in_([*reviewers, ANYONE])).exists()


def _here(table: Any, place: dict[str, Any]) -> Any:  # noqa: ANN401 -- a table, and an SQL condition
    condition = table.c.run == place["run"]
    for name in _PLACE[1:]:
        condition &= table.c[name] == place[name]
    return condition


def _views(connection: Connection, statement: Select[Any]) -> list[ReviewView]:
    return [ReviewView.model_validate(dict(row)) for row in connection.execute(statement).mappings()]
