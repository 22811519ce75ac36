"""The register of votes in the records database: one a person per output, the newest counts."""

from typing import Any

from sqlalchemy import Connection, Engine, func, select

from activities.audit.contracts import AuditEvent, AuditKind
from activities.audit.log import append
from activities.experiments.outcomes import judge
from activities.feedback.contracts import Dimension, Given, NothingToRate, Origin, Rating, Score, Vote
from activities.feedback.intervals import wilson
from activities.feedback.reviewed import votes_of
from activities.feedback.tables import FeedbackRow
from activities.records.database import timestamp, upsert
from activities.records.tables import TaskRecord
from activities.records.transactions import Transactions
from activities.reviews.contracts import ReviewRecord

_VOTES = FeedbackRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_PLACE = ("run", "row", "output", "by")
_MADE_OF = ("agent", "model", "prompt_version", "experiment", "variant")


class SqlFeedbackRegister:
    """Votes in the records database.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def rate(self, given: Given) -> Vote:
        """Take a reader's vote; one they gave on the same output before is replaced.

        Raises:
            NothingToRate: The row has no output, or another one than they looked at.
        """
        return await self._transactions.run(lambda connection: self._rate(connection, given))

    async def votes(self, run: str, row: str) -> list[Vote]:
        """Return all votes on a row's outputs, the newest first."""
        statement = select(_VOTES).where(_VOTES.c.run == run, _VOTES.c.row == row)
        statement = statement.order_by(_VOTES.c.at.desc(), _VOTES.c.by)

        def read(connection: Connection) -> list[Vote]:
            return [Vote.model_validate(dict(one)) for one in connection.execute(statement).mappings()]

        return await self._transactions.read(read)

    async def scores(self, by: Dimension, since: str = "") -> list[Score]:
        """Return how good agents, models, prompt versions or boards are, the surest good first.

        Args:
            by: What is told apart.
            since: Only votes from this moment on.
        """
        name = _VOTES.c[by.value]
        good = func.count().filter(_VOTES.c.rating == Rating.GOOD.value)
        outputs = func.count(func.distinct(_VOTES.c.run + "/" + _VOTES.c.row + "/" + _VOTES.c.output))
        statement = select(name, good, func.count(), outputs).where(name != "").group_by(name)
        if since:
            statement = statement.where(_VOTES.c.at >= since)
        found = await self._transactions.read(lambda connection: [tuple(one) for one in connection.execute(statement)])
        scores = [score(*one) for one in found]
        return sorted(scores, key=lambda one: (-one.low, one.name))

    def _rate(self, connection: Connection, given: Given) -> Vote:
        here = (_ROWS.c.run == given.run) & (_ROWS.c.row == given.row)
        row = connection.execute(select(_ROWS.c.output_digest, _ROWS.c.attempt).where(here)).mappings().first()
        output = row["output_digest"] if row else None
        if row is None or output is None:
            raise NothingToRate(f"row {given.row} has no output that could be rated", run=given.run, row=given.row)
        if given.output not in {None, output}:
            raise NothingToRate(
                f"row {given.row} has another output by now: look at it again", found=output, expected=given.output
            )
        told = given.model_dump(exclude={"output"})
        vote = Vote(**told, output=output, origin=Origin.READER, at=timestamp(), attempt=row["attempt"])
        vote = keep(self._engine, connection, vote)
        append(
            connection,
            AuditEvent(
                kind=AuditKind.OUTPUT_RATED,
                actor=vote.by,
                subject=f"run/{vote.run}/row/{vote.row}",
                detail=vote.model_dump(
                    mode="json", include={"output", "rating", "reason", "better"}, exclude_none=True
                ),
            ),
        )
        return vote


def keep_reviewers_votes(engine: Engine, connection: Connection, record: ReviewRecord) -> None:
    """Take what a round's decisions say of its output; they are in the audit log as decisions already."""
    for vote in votes_of(record):
        keep(engine, connection, vote)


def keep(engine: Engine, connection: Connection, vote: Vote) -> Vote:
    """Write a vote, unless the person gave a newer one on the same output; return it with what made the output."""
    here = (_ROWS.c.run == vote.run) & (_ROWS.c.row == vote.row)
    columns = (_ROWS.c[name] for name in ("board", "unit", *_MADE_OF))
    made = connection.execute(select(*columns).where(here)).mappings().first()
    of: dict[str, Any] = dict(made) if made else {}
    unit = of.pop("unit", "")
    if _by_a_person(connection, vote):
        of |= dict.fromkeys(_MADE_OF, "")
    vote = vote.model_copy(update=of)
    statement = upsert(engine, FeedbackRow)
    values = vote.model_dump(mode="json")
    changed = {name: statement.excluded[name] for name in values if name not in _PLACE}
    newer = statement.excluded.at > _VOTES.c.at
    connection.execute(statement.on_conflict_do_update(index_elements=_PLACE, set_=changed, where=newer), values)
    if vote.variant:
        judge(connection, vote, unit)
    return vote


def _by_a_person(connection: Connection, vote: Vote) -> bool:
    edits = (_VOTES.c.run == vote.run) & (_VOTES.c.row == vote.row) & (_VOTES.c.better == vote.output)
    return connection.scalar(select(_VOTES.c.by).where(edits).limit(1)) is not None


def score(name: str, good: int, votes: int, outputs: int) -> Score:
    """Return a score with its interval."""
    low, high = wilson(good, votes)
    return Score(name=name, good=good, votes=votes, outputs=outputs, share=good / votes, low=low, high=high)
