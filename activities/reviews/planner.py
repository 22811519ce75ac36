"""From a row and the approval rules to the terms of its review. Pure."""

from datetime import datetime, timedelta
from typing import Final

from activities.records.database import timestamp
from activities.reviews.contracts import ReviewOpening, ReviewTerms
from activities.reviews.rules import ApprovalRule, ApprovalRules
from catalogs.row import CatalogRow, OnDeadline

# Of the deadline, where rules say nothing else.
REMIND_AT: Final = 0.5
ESCALATE_AT: Final = 0.75
# A reminder within minutes of the invitation is noise.
LEAST_FOR_REMINDER: Final = 600
DAY: Final = 86_400


class RulePlanner:
    """Plans reviews by the approval rules.

    Args:
        rules: The rules.
    """

    def __init__(self, rules: ApprovalRules) -> None:
        self._rules = rules

    def reasons(self, row: CatalogRow) -> tuple[str, ...]:
        """Return why the rules want a row reviewed; empty when they do not."""
        rule = self._rules.rule_for(row)
        return (rule.reason,) if rule else ()

    def terms(self, opening: ReviewOpening) -> ReviewTerms:
        """Return who decides on a round, and until when.

        Where a rule holds, its reviewers count and not the row's: a catalog cannot choose its own judges.
        """
        row, rules = opening.row, self._rules
        rule = rules.rule_for(row)
        reviewers = rule.reviewers if rule else row.reviewers
        escalate_to = rule.escalate.to if rule and rule.escalate else row.escalate
        deadline = row.deadline or (rule.deadline if rule else None)
        return ReviewTerms(
            reviewers=reviewers,
            members=rules.members(reviewers + escalate_to),
            approvals=_approvals(row, rule),
            everyone=rule is not None and rule.approvals == "all",
            seats=reviewers if rule is not None and "all" in {rule.approvals, rule.rejections} else (),
            rejections=rule.rejections if rule and isinstance(rule.rejections, int) else 1,
            unanimous=rule is not None and rule.rejections == "all",
            four_eyes=opening.four_eyes or (rule is not None and rule.four_eyes),
            rounds=rule.rounds if rule else ReviewTerms().rounds,
            form=row.form,
            remind_at=self._after(opening, self._remind_after(deadline, rule)),
            escalate_at=self._after(opening, self._escalate_after(deadline, rule)) if escalate_to else None,
            escalate_to=escalate_to,
            due_at=self._after(opening, self._span(deadline) if deadline else None),
            on_deadline=_on_deadline(opening, rule),
            rule=rule.name if rule else "",
        )

    def _span(self, seconds: int) -> timedelta:
        """Return how much time a duration is: where only working hours count, a day is a working day."""
        hours = self._rules.hours
        if hours is None:
            return timedelta(seconds=seconds)
        days, rest = divmod(seconds, DAY)
        return days * hours.day + timedelta(seconds=rest)

    def _remind_after(self, deadline: int | None, rule: ApprovalRule | None) -> timedelta | None:
        if deadline is None or deadline < LEAST_FOR_REMINDER:
            return None
        span = self._span(deadline)
        if rule and rule.remind:
            return max(span - self._span(rule.remind), timedelta())
        return span * REMIND_AT

    def _escalate_after(self, deadline: int | None, rule: ApprovalRule | None) -> timedelta | None:
        if rule and rule.escalate:
            return self._span(rule.escalate.after)
        return self._span(deadline) * ESCALATE_AT if deadline else None

    def _after(self, opening: ReviewOpening, span: timedelta | None) -> str | None:
        if span is None:
            return None
        opened, hours = datetime.fromisoformat(opening.opened_at), self._rules.hours
        return timestamp(hours.calendar.after(opened, span) if hours else opened + span)


def _approvals(row: CatalogRow, rule: ApprovalRule | None) -> int:
    asked = rule.approvals if rule and isinstance(rule.approvals, int) else 1
    return max(asked, row.quorum)


def _on_deadline(opening: ReviewOpening, rule: ApprovalRule | None) -> OnDeadline:
    chosen = (rule.on_deadline if rule else None) or opening.row.on_deadline
    # Silence approves only where row and policy say so; a rule alone cannot make it.
    silence = opening.silence_approves and opening.row.on_deadline is OnDeadline.APPROVE
    return OnDeadline.REJECT if chosen is OnDeadline.APPROVE and not silence else chosen
