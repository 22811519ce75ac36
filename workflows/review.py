"""The review state machine: open, then decided once. Pure; workflows and tests drive it."""

from enum import StrEnum

from workflows.contracts import ReviewDecision


class ReviewState(StrEnum):
    """Where a review stands; the value is the row's ``PrismReview`` search attribute."""

    NONE = "none"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ReviewProcess:
    """One review of one output. The first decision that counts is final; silence never approves."""

    def __init__(self) -> None:
        self.state = ReviewState.NONE
        self.reasons: tuple[str, ...] = ()
        self.reviewers: tuple[str, ...] = ()
        self.decision: ReviewDecision | None = None

    def open(self, reasons: tuple[str, ...], reviewers: tuple[str, ...]) -> None:
        """Wait for a person, for these reasons."""
        self.state = ReviewState.WAITING
        self.reasons = reasons
        self.reviewers = reviewers

    def approve(self, decision: ReviewDecision) -> bool:
        """Take an approval; returns whether it counted."""
        return self._decide(ReviewState.APPROVED, decision)

    def reject(self, decision: ReviewDecision) -> bool:
        """Take a rejection; returns whether it counted."""
        return self._decide(ReviewState.REJECTED, decision)

    def expire(self) -> None:
        """The deadline passed without a decision."""
        if self.state is ReviewState.WAITING:
            self.state = ReviewState.EXPIRED

    @property
    def waiting(self) -> bool:
        """Whether a person may decide now."""
        return self.state is ReviewState.WAITING

    def _decide(self, state: ReviewState, decision: ReviewDecision) -> bool:
        if not self.waiting or not decision.by or (self.reviewers and decision.by not in self.reviewers):
            return False
        self.state = state
        self.decision = decision
        return True
