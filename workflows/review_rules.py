"""What makes a decision count: whom a person stands for, and what each kind must bring along. Pure functions."""

from collections.abc import Sequence
from typing import Final

from activities.reviews.contracts import DecisionKind, ReviewDecision, ReviewTerms
from catalogs.forms import form_faults
from catalogs.row import ROLE_PREFIX
from temporal.errors import PrismError
from temporal.names import ErrorCode

_TEXTS: Final = {
    DecisionKind.REJECT: "a reason",
    DecisionKind.REQUEST_CHANGES: "feedback",
    DecisionKind.COMMENT: "a text",
}


class ReviewRefused(PrismError):
    """A decision does not count; nothing has changed.

    Args:
        refusal: The code of why.
        message: Why, for the person who decided.
    """

    def __init__(self, refusal: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


def represented(terms: ReviewTerms, by: str, roles: Sequence[str]) -> frozenset[str]:
    """Return which of the reviewers a person stands for."""
    own = {by} | {f"{ROLE_PREFIX}{role}" for role in roles}
    return frozenset(one for one in terms.reviewers if one in own or by in terms.members.get(one, ()))


def all_represented(terms: ReviewTerms, stand_for: Sequence[frozenset[str]], *, escalated: bool = False) -> bool:
    """Return whether each reviewer is stood for by a person of its own (a bipartite matching, by augmenting paths).

    Args:
        terms: Who is asked.
        stand_for: For each person, which of the reviewers they stand for.
        escalated: Whether those the round was escalated to may stand for anybody.
    """
    seats = terms.seats or terms.reviewers
    anybody = frozenset(terms.escalate_to) if escalated and terms.seats else frozenset()
    stand_for = [frozenset(seats) if entries & anybody else entries for entries in stand_for]
    taken: dict[int, str] = {}

    def place(reviewer: str, tried: set[int]) -> bool:
        for person, entries in enumerate(stand_for):
            if reviewer in entries and person not in tried:
                tried.add(person)
                if person not in taken or place(taken[person], tried):
                    taken[person] = reviewer
                    return True
        return False

    return all(place(seat, set()) for seat in seats)


def missing(decision: ReviewDecision, terms: ReviewTerms, *, answered: bool) -> str:
    """Return what a decision lacks, empty when nothing.

    Args:
        decision: The decision.
        terms: What the review asks for.
        answered: Whether the form is filled in already.
    """
    kind = decision.kind
    if kind in _TEXTS:
        return "" if decision.comment.strip() else f"{kind.value.replace('_', ' ')}: {_TEXTS[kind]} is missing"
    if kind is DecisionKind.EDIT:
        return "" if decision.output and decision.output.size else "edit: the edited text is missing"
    if kind is DecisionKind.REASSIGN:
        return _cannot_reassign(decision, terms)
    if kind is DecisionKind.ANSWER:
        faults = form_faults(terms.form, decision.answers or {}) if terms.form else ["this row asks no form"]
        return f"answer: {'; '.join(faults)}" if faults else ""
    unanswered = kind is DecisionKind.APPROVE and terms.form is not None and not answered
    return "approve: this row has a form to fill in; send answers" if unanswered else ""


def _cannot_reassign(decision: ReviewDecision, terms: ReviewTerms) -> str:
    if not decision.reviewers:
        return "reassign: the new reviewers are missing"
    asked = terms.model_copy(update={"reviewers": decision.reviewers, "members": terms.members | decision.members})
    people = asked.people
    # Who has a role that nobody is named for is known only when they come.
    if len(people) < terms.approvals and not any(one.startswith(ROLE_PREFIX) for one in people):
        return f"reassign: {terms.approvals} must approve, but only {len(people)} would be asked"
    return ""
