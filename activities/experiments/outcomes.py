"""What a vote means for an experiment: the first one on a unit is its outcome, and stays.

Whoever may change what was counted after having looked at the result keeps no level of the test; and the outputs of one
unit resemble each other, so that only one of them counts.
"""

from sqlalchemy import Connection, select, update

from activities.experiments.contracts import ExperimentSpec, Metric, Status
from activities.experiments.tables import AssignmentRow, ExperimentRow
from activities.feedback.contracts import Origin, Rating, Vote
from activities.records.database import timestamp

_EXPERIMENTS = ExperimentRow.__table__  # type: ignore[attr-defined]
_ASSIGNMENTS = AssignmentRow.__table__  # type: ignore[attr-defined]
_COUNTED = {
    Metric.VOTES: frozenset(Origin),
    Metric.REVIEWS: frozenset({Origin.REVIEW}),
    Metric.READERS: frozenset({Origin.READER}),
}


def judge(connection: Connection, vote: Vote, unit: str) -> None:
    """Take a vote on a variant's output as its unit's outcome, unless the unit has one.

    Args:
        connection: The transaction that takes the vote.
        vote: Names experiment and variant.
        unit: What the variant stuck to.
    """
    here = (_ASSIGNMENTS.c.experiment == vote.experiment) & (_ASSIGNMENTS.c.unit == unit)
    here &= (_ASSIGNMENTS.c.variant == vote.variant) & _ASSIGNMENTS.c.position.is_(None)
    if connection.scalar(select(_ASSIGNMENTS.c.unit).where(here)) is None:
        return
    running = (_EXPERIMENTS.c.name == vote.experiment) & (_EXPERIMENTS.c.status != Status.ENDED.value)
    spec = connection.scalar(select(_EXPERIMENTS.c.spec).where(running))
    if spec is None or vote.origin not in _COUNTED[ExperimentSpec.model_validate(spec).metric]:
        return
    # The experiment's row stays locked until the end of the transaction: outcomes come one after the other.
    number = update(_EXPERIMENTS).where(running).values(judged=_EXPERIMENTS.c.judged + 1)
    position = connection.scalar(number.returning(_EXPERIMENTS.c.judged))
    if position is not None:
        values = {"good": vote.rating is Rating.GOOD, "position": position, "judged_at": timestamp()}
        connection.execute(update(_ASSIGNMENTS).where(here).values(values))
