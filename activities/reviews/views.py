"""What the register says of reviews, and how to ask for them."""

from pydantic import Field

from activities.reviews.contracts import ReviewEntry, ReviewState, ReviewTerms
from temporal.contract import Contract


class ReviewFilter(Contract):
    """Which rounds are wanted.

    Args:
        reviewers: Only what these may decide on: a person's name and ``role:<name>`` of their roles; ``None`` for all.
        person: Without what this person may not decide on, as they submitted it.
        boards: Only rows of these boards; ``None`` for all.
        due_before: Only what is due until then, ISO 8601 UTC.
        text: Only rows whose id, title or objective holds this text.
    """

    state: ReviewState | None = ReviewState.WAITING
    reviewers: tuple[str, ...] | None = None
    person: str = ""
    boards: frozenset[str] | None = None
    run: str = ""
    board: str = ""
    risk: str = ""
    due_before: str = ""
    text: str = ""
    limit: int = 100
    offset: int = 0


class ReviewView(Contract):
    """A round of a row's review, with what the inbox shows of the row.

    Args:
        output_digest: The text that is decided on.
        entries: What happened in the round, in order.
    """

    run: str
    row: str
    attempt: int
    round: int
    state: ReviewState
    run_title: str = ""
    submitter: str = ""
    board: str = ""
    title: str = ""
    objective: str = ""
    risk: str = ""
    cost_usd: float = 0.0
    reasons: list[str] = Field(default_factory=list)
    terms: ReviewTerms
    approvals: int = 0
    claimed_by: str = ""
    escalated: bool = False
    overdue: bool = False
    output_digest: str | None = None
    opened_at: str
    due_at: str | None = None
    decided_at: str | None = None
    decided_by: str = ""
    comment: str = ""
    entries: list[ReviewEntry] = Field(default_factory=list)

    @property
    def needed(self) -> int:
        """How many approvals it takes."""
        return self.terms.needed
