"""What reviewers' decisions say of outputs. Pure."""

from collections.abc import Iterator

from activities.artifacts.contracts import Digest
from activities.feedback.contracts import Origin, Rating, Vote
from activities.reviews.contracts import DecisionKind, ReviewRecord

# Whoever edits a text or has it written anew found it wanting. Filling in a form says nothing of it.
RATINGS = {
    DecisionKind.APPROVE: Rating.GOOD,
    DecisionKind.EDIT: Rating.BAD,
    DecisionKind.REJECT: Rating.BAD,
    DecisionKind.REQUEST_CHANGES: Rating.BAD,
}


def votes_of(record: ReviewRecord) -> Iterator[Vote]:
    """Yield the votes in a round, in the order in which they were given."""
    output: Digest | None = record.output
    for entry in record.entries:
        rating = RATINGS.get(entry.kind)  # type: ignore[call-overload]  # other kinds of entries are plain words
        if rating is None or output is None or not entry.by:
            continue
        yield Vote(
            run=record.step.run,
            row=record.step.row,
            output=output,
            by=entry.by,
            rating=rating,
            reason=entry.comment,
            better=entry.output if entry.kind == DecisionKind.EDIT else None,
            origin=Origin.REVIEW,
            at=entry.at,
            attempt=record.step.attempt,
        )
