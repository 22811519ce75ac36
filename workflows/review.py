"""The review state machine: rounds that open, collect votes and end once. Pure; workflows and tests drive it."""

from typing import Any, Final

from activities.artifacts.contracts import Digest
from activities.reviews.contracts import (
    DecisionKind,
    ReviewDecision,
    ReviewEntry,
    ReviewOutcome,
    ReviewState,
    ReviewTerms,
)
from temporal.names import ErrorCode
from workflows.review_rules import ReviewRefused, all_represented, missing, represented

__all__ = ["ReviewProcess", "ReviewRefused", "ReviewState"]

MAX_ENTRIES: Final = 500
# May put a review into other hands, or free it, without being a reviewer of it.
CARETAKERS: Final = frozenset({"operator", "admin"})
# These make another text of the output and approve that one.
_CHANGING: Final = frozenset({DecisionKind.EDIT, DecisionKind.ANSWER})
_APPROVING: Final = _CHANGING | {DecisionKind.APPROVE}


class ReviewProcess:
    """The review of one row: who may decide, what they decided, and what that amounts to.

    Every way in (update, signals; behind them page, API, link and CLI) calls ``check`` and ``take``: there is no other
    place where a decision counts.

    Args:
        submitter: Who submitted the run.
    """

    def __init__(self, submitter: str = "") -> None:
        self.submitter = submitter
        self.state = ReviewState.NONE
        self.round = 0
        self.reasons: tuple[str, ...] = ()
        self.terms = ReviewTerms()
        self.claimed_by = ""
        self.escalated = False
        self.overdue = False
        self.decision: ReviewDecision | None = None
        self.answers: dict[str, Any] | None = None
        self.entries: list[ReviewEntry] = []
        self._drafts = 1
        self._votes: dict[str, tuple[DecisionKind, frozenset[str]]] = {}

    @property
    def waiting(self) -> bool:
        """Whether a person may decide now."""
        return self.state is ReviewState.WAITING

    @property
    def approvals(self) -> int:
        """How many approvals count in this round."""
        return sum(kind in _APPROVING for kind, _ in self._votes.values())

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who approved in this round, in order."""
        return tuple(by for by, (kind, _) in self._votes.items() if kind in _APPROVING)

    def open(
        self,
        reasons: tuple[str, ...],
        terms: ReviewTerms,
        at: str,
        output: Digest | None = None,
        carried: ReviewDecision | None = None,
    ) -> None:
        """Open the next round: votes were on another text and do not count.

        Args:
            reasons: Why a person must decide.
            terms: Who may, how many must, until when.
            at: The workflow's time.
            output: The text to decide on.
            carried: An edit that made this text; whoever made it approves of it.
        """
        self.state = ReviewState.WAITING
        self.round += 1
        self.reasons = reasons
        self.terms = terms
        self.claimed_by = ""
        self.escalated = self.overdue = False
        self.decision = None
        self._votes = {}
        if carried is not None:
            self._count(carried)
        self._enter("opened", at, comment="; ".join(reasons), output=output)

    def check(self, decision: ReviewDecision) -> None:
        """Refuse a decision that does not count.

        Raises:
            ReviewRefused: Wrong state, wrong round, wrong person, twice the same vote, or something is missing.
        """
        if not decision.by.strip():
            raise ReviewRefused(ErrorCode.INVALID_DECISION, "a decision needs a person: 'by' is empty")
        if not self.waiting:
            raise ReviewRefused(ErrorCode.REVIEW_NOT_OPEN, self._why_closed())
        if decision.round is not None and decision.round != self.round:
            raise ReviewRefused(
                ErrorCode.STALE_ROUND,
                f"you decided on round {decision.round}, but the review is in round {self.round}: look at the new text",
            )
        if len(self.entries) >= MAX_ENTRIES:
            raise ReviewRefused(ErrorCode.INVALID_DECISION, f"this review has {MAX_ENTRIES} entries; it takes no more")
        if decision.kind is not DecisionKind.COMMENT:
            self._check_person(decision)
        if decision.kind.vote:
            self._check_vote(decision)
        self._check_content(decision)

    def take(self, decision: ReviewDecision, at: str) -> ReviewOutcome:
        """Take a decision.

        Raises:
            ReviewRefused: See ``check``.
        """
        self.check(decision)
        self._enter(
            decision.kind.value,
            at,
            by=decision.by,
            comment=decision.comment,
            via=decision.via,
            output=decision.output.digest if decision.output else None,
            answers=decision.answers,
            reviewers=decision.reviewers,
        )
        if decision.kind.vote:
            self._vote(decision)
        elif decision.kind is DecisionKind.CLAIM:
            self.claimed_by = decision.by
        elif decision.kind is DecisionKind.RELEASE:
            self.claimed_by = ""
        elif decision.kind is DecisionKind.REASSIGN:
            self._reassign(decision)
        return self.outcome()

    def outcome(self) -> ReviewOutcome:
        """Return where the review stands."""
        needed = self.terms.needed
        if self.waiting:
            against = f", {self._rejections} against" if self._rejections else ""
            message = f"{self.approvals} of {needed} approvals{against}"
        else:
            message = f"{self.state.value.replace('_', ' ')} by {self.decided_by}"
        return ReviewOutcome(
            state=self.state, round=max(self.round, 1), approvals=self.approvals, needed=needed, message=message
        )

    @property
    def decided_by(self) -> str:
        """Who brought the outcome about; ``nobody`` where it was the deadline."""
        if self.state is ReviewState.APPROVED and self.decision is not None:
            return " and ".join(self.approvers)
        return self.decision.by if self.decision else "nobody"

    def remind(self, at: str) -> None:
        """Note that reviewers were reminded."""
        self._enter("reminded", at)

    def escalate(self, at: str) -> None:
        """Let further reviewers decide too. Where everybody had to approve, each of them may take one's place."""
        self.escalated = True
        terms = self.terms
        reviewers = tuple(dict.fromkeys(terms.reviewers + terms.escalate_to)) if terms.reviewers else ()
        self.terms = terms.model_copy(
            update={
                "reviewers": reviewers,
                "approvals": terms.needed,
                "everyone": terms.everyone and bool(terms.seats),
            },
        )
        self._enter("escalated", at, reviewers=terms.escalate_to)

    def expire(self, state: ReviewState, at: str) -> None:
        """The deadline passed without a decision; with ``WAITING`` the review goes on, overdue."""
        if self.waiting:
            self.state = state
            self.overdue = True
            self._enter("expired", at)

    def _check_person(self, decision: ReviewDecision) -> None:
        terms, by = self.terms, decision.by
        caretaker = not CARETAKERS.isdisjoint(decision.roles)
        if decision.kind in {DecisionKind.REASSIGN, DecisionKind.RELEASE} and caretaker:
            return
        if terms.four_eyes and by == self.submitter:
            raise ReviewRefused(
                ErrorCode.OWN_ROW, f"{by} submitted this run, and the policy wants somebody else to decide"
            )
        if terms.reviewers and not represented(terms, by, decision.roles):
            raise ReviewRefused(
                ErrorCode.NOT_A_REVIEWER,
                f"{by} is not among the reviewers of this row: {', '.join(terms.reviewers)}",
            )
        held = self.claimed_by and self.claimed_by != by
        if held and decision.kind is not DecisionKind.RELEASE:
            raise ReviewRefused(ErrorCode.CLAIMED, f"{self.claimed_by} has claimed this review; release it first")
        if decision.kind is DecisionKind.RELEASE and not self.claimed_by:
            raise ReviewRefused(ErrorCode.INVALID_DECISION, "nobody has claimed this review")

    def _check_vote(self, decision: ReviewDecision) -> None:
        earlier = self._votes.get(decision.by)
        same = earlier is not None and (earlier[0] is decision.kind or {earlier[0], decision.kind} <= _APPROVING)
        if same and decision.kind not in _CHANGING:
            raise ReviewRefused(
                ErrorCode.ALREADY_DECIDED,
                f"the decision of {decision.by} ({decision.kind.value.replace('_', ' ')}) counts already; "
                "a person counts once",
            )

    def _check_content(self, decision: ReviewDecision) -> None:
        if fault := missing(decision, self.terms, answered=self.answers is not None):
            raise ReviewRefused(ErrorCode.INVALID_DECISION, fault)
        if decision.kind is DecisionKind.REQUEST_CHANGES and self._drafts >= self.terms.rounds:
            raise ReviewRefused(
                ErrorCode.INVALID_DECISION,
                f"this is draft {self._drafts} of {self.terms.rounds}, the last one: approve, edit or reject",
            )

    def _vote(self, decision: ReviewDecision) -> None:
        kind = decision.kind
        if kind in _CHANGING:
            # What others have approved is another text than the one that comes of this.
            self._votes = {}
            self.answers = decision.answers if kind is DecisionKind.ANSWER else self.answers
        self._count(decision)
        if kind is DecisionKind.REQUEST_CHANGES:
            self._drafts += 1
            self._decide(ReviewState.CHANGES_REQUESTED, decision)
        elif kind is DecisionKind.REJECT and self._refused():
            self._decide(ReviewState.REJECTED, decision)
        elif kind in _APPROVING and self._enough():
            self._decide(ReviewState.APPROVED, decision)
        elif kind in _CHANGING:
            self._decide(ReviewState.EDITED, decision)

    def _count(self, decision: ReviewDecision) -> None:
        self._votes.pop(decision.by, None)
        self._votes[decision.by] = decision.kind, represented(self.terms, decision.by, decision.roles)

    def _reassign(self, decision: ReviewDecision) -> None:
        self.claimed_by = ""
        self.terms = self.terms.model_copy(
            update={
                "reviewers": decision.reviewers,
                "members": self.terms.members | decision.members,
                "seats": decision.reviewers if self.terms.seats else (),
                "approvals": self.terms.approvals if not self.terms.everyone else 1,
            }
        )

    def _decide(self, state: ReviewState, decision: ReviewDecision) -> None:
        self.state = state
        self.decision = decision

    def _enough(self) -> bool:
        everyone = not self.terms.everyone or self._all(_APPROVING)
        return everyone and self.approvals >= self.terms.approvals

    def _refused(self) -> bool:
        everyone = not self.terms.unanimous or self._all(frozenset({DecisionKind.REJECT}))
        return everyone and self._rejections >= self.terms.rejections

    @property
    def _rejections(self) -> int:
        return sum(kind is DecisionKind.REJECT for kind, _ in self._votes.values())

    def _all(self, kinds: frozenset[DecisionKind]) -> bool:
        stand_for = [entries for kind, entries in self._votes.values() if kind in kinds]
        return all_represented(self.terms, stand_for, escalated=self.escalated)

    def _why_closed(self) -> str:
        if self.state is ReviewState.NONE:
            return "the row does not wait for a review"
        if self.state is ReviewState.EXPIRED:
            return "the deadline of this review has passed; nobody decided in time"
        return f"the review was {self.state.value.replace('_', ' ')} by {self.decided_by} already"

    def _enter(
        self,
        kind: str,
        at: str,
        *,
        by: str = "",
        comment: str = "",
        via: str = "",
        output: Digest | None = None,
        answers: dict[str, Any] | None = None,
        reviewers: tuple[str, ...] = (),
    ) -> None:
        self.entries.append(
            ReviewEntry(
                kind=kind,
                round=self.round,
                at=at,
                by=by,
                comment=comment,
                via=via,
                output=output,
                answers=answers,
                reviewers=reviewers,
            )
        )
