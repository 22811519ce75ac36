"""Having people decide: opens rounds, reminds, escalates, and waits for as long as it takes."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.notifications.contracts import Notification
    from activities.records.contracts import RowState
    from activities.reviews.contracts import ReviewDecision, ReviewOpening, ReviewRecord, ReviewTerms
    from catalogs.row import CatalogRow, OnDeadline
    from temporal.names import ErrorCode
    from workflows.draft import RowEnded
    from workflows.facts import RowFacts
    from workflows.performing import now
    from workflows.review import ReviewState
    from workflows.steps import RowSteps

# Rows that began before reviews had terms go on as they began: anyone named decides, once.
WITH_TERMS: Final = 1
REMINDER, ESCALATION, DEADLINE = "reminder", "escalation", "deadline"
Stage = tuple[str, datetime]


class Reviewing:
    """The rounds of one row's review.

    Args:
        steps: The row's steps.
        facts: What is known of the row.
        enter: Has the row enter a state.
    """

    def __init__(self, steps: RowSteps, facts: RowFacts, enter: Callable[[RowState], None]) -> None:
        self._steps = steps
        self._facts = facts
        self._enter = enter
        self._process = facts.review
        self._opened_at = ""
        self._recorded = 0
        self._with_terms = facts.request.revision >= WITH_TERMS

    async def decided(self, reasons: tuple[str, ...], carried: ReviewDecision | None = None) -> ReviewDecision | None:
        """Open a round and wait until it has ended.

        Args:
            reasons: Why a person must decide.
            carried: An edit that made the text of this round.

        Returns:
            The decision that ended it; ``None`` where silence approved.

        Raises:
            RowEnded: The output was rejected, or nobody decided in time.
        """
        process, facts = self._process, self._facts
        row = _planned(facts)
        self._opened_at = now()
        terms = await self._terms(row)
        output = facts.draft.output
        process.open(reasons, terms, self._opened_at, output.digest if output else None, carried)
        self._enter(RowState.REVIEW)
        # Reviewers see on every path what they decide on.
        await self._steps.record(facts.record(self._steps, RowState.REVIEW, message="; ".join(reasons)))
        await self._record()
        await self._tell("review", f"Review wanted: {facts.name}", "; ".join(reasons), terms.people)
        await self._wait()
        await self._record()
        return self._ended()

    async def close(self) -> None:
        """Record that a round ended with its row, undecided."""
        if self._process.waiting:
            self._process.state = ReviewState.CANCELLED
            await self._record()

    async def _terms(self, row: CatalogRow) -> ReviewTerms:
        if not self._with_terms:
            due = workflow.now() + timedelta(seconds=row.deadline) if row.deadline else None
            return ReviewTerms(reviewers=row.reviewers, due_at=due.isoformat() if due else None)
        admission = self._facts.admission
        decision = admission.decision if admission else None
        return await self._steps.open_review(
            ReviewOpening(
                step=self._steps.ref("review-terms"),
                round=self._process.round + 1,
                row=row,
                submitter=self._facts.request.submitter,
                four_eyes=decision is not None and decision.four_eyes,
                silence_approves=decision is not None and decision.silence_approves,
                opened_at=self._opened_at,
            )
        )

    async def _wait(self) -> None:
        process = self._process
        stages = _stages(process.terms)
        while process.waiting:
            seen, terms = len(process.entries), process.terms
            stage, at = stages[0] if stages else ("", None)
            timeout = max(at - workflow.now(), timedelta()) if at else None
            try:
                await workflow.wait_condition(
                    lambda seen=seen: len(process.entries) != seen,  # type: ignore[misc]
                    timeout=timeout,
                    timeout_summary=f"review {stage}",
                )
            except TimeoutError:
                stages.popleft()
                await self._pass(stage)
            if process.waiting:
                await self._record()
                if process.terms.reviewers != terms.reviewers and not process.escalated:
                    await self._tell_new(terms)

    async def _pass(self, stage: str) -> None:
        """Do what a moment brings. A decision that came with it has won: it is told so, and nothing happens here."""
        process, terms = self._process, self._process.terms
        if not process.waiting:
            return
        name, due = self._facts.name, terms.due_at or ""
        if stage == REMINDER:
            process.remind(now())
            await self._tell(REMINDER, f"Review still wanted: {name}", _until(terms), terms.people)
        elif stage == ESCALATION:
            process.escalate(now())
            body = f"Nobody has decided yet. {_until(terms)}"
            people = ReviewTerms(reviewers=terms.escalate_to, members=terms.members).people
            await self._tell(ESCALATION, f"Review escalated: {name}", body, people, severity="error")
        elif terms.on_deadline is OnDeadline.WAIT:
            process.expire(ReviewState.WAITING, now())
            await self._tell(REMINDER, f"Review overdue: {name}", f"It was due at {due}.", terms.people, "error")
        else:
            approved = terms.on_deadline is OnDeadline.APPROVE
            process.expire(ReviewState.APPROVED if approved else ReviewState.EXPIRED, now())

    async def _tell_new(self, earlier: ReviewTerms) -> None:
        terms = self._process.terms
        new = tuple(person for person in terms.people if person not in earlier.people)
        if new:
            await self._tell(
                "review", f"Review handed to you: {self._facts.name}", "; ".join(self._process.reasons), new
            )

    async def _tell(self, step: str, title: str, body: str, people: tuple[str, ...], severity: str = "warning") -> None:
        row = _planned(self._facts)
        await self._steps.notify(
            Notification(
                step=self._steps.ref(step),
                recipients=people or row.notify,
                title=title,
                body=body,
                severity=severity,
                round=self._process.round,
            )
        )

    def _ended(self) -> ReviewDecision | None:
        process, decision = self._process, self._process.decision
        by, comment = process.decided_by, decision.comment if decision else ""
        state = process.state
        detail = {
            "state": state.value,
            "by": by,
            "comment": comment,
            "reasons": list(process.reasons),
            "round": process.round,
            "decisions": [entry.model_dump(mode="json") for entry in process.entries if entry.round == process.round],
        }
        told = "approved by nobody: the deadline passed, and row and policy let silence approve"
        silent = state is ReviewState.APPROVED and decision is None
        summary = told if silent else f"{state.value.replace('_', ' ')} by {by}"
        self._steps.note("review", process.round - 1, summary, self._opened_at, detail)
        if state is ReviewState.EXPIRED:
            raise RowEnded(RowState.REJECTED, ErrorCode.REVIEW_EXPIRED, "nobody decided before the deadline")
        if state is ReviewState.REJECTED:
            raise RowEnded(RowState.REJECTED, ErrorCode.REVIEW_REJECTED, f"rejected by {by}: {comment}".rstrip(": "))
        self._enter(RowState.RUNNING)
        return decision

    async def _record(self) -> None:
        if not self._with_terms:
            return
        process, decision, output = self._process, self._process.decision, self._facts.draft.output
        self._recorded += 1
        ended = not process.waiting
        await self._steps.record_review(
            ReviewRecord(
                step=self._steps.ref("review-record"),
                round=process.round,
                state=process.state,
                reasons=process.reasons,
                terms=process.terms,
                approvals=process.approvals,
                claimed_by=process.claimed_by,
                escalated=process.escalated,
                overdue=process.overdue,
                output=output.digest if output else None,
                opened_at=self._opened_at,
                decided_at=now() if ended else None,
                decided_by=process.decided_by if ended else "",
                comment=decision.comment if decision else "",
                entries=tuple(entry for entry in process.entries if entry.round == process.round),
                sequence=self._recorded,
            )
        )


def _stages(terms: ReviewTerms) -> deque[Stage]:
    named = ((REMINDER, terms.remind_at), (ESCALATION, terms.escalate_at), (DEADLINE, terms.due_at))
    return deque(sorted(((name, datetime.fromisoformat(at)) for name, at in named if at), key=lambda one: one[1]))


def _until(terms: ReviewTerms) -> str:
    follows = {
        OnDeadline.REJECT: "the row is rejected",
        OnDeadline.APPROVE: "the row is approved without a person",
        OnDeadline.WAIT: "the row goes on waiting",
    }
    return f"If nobody decides until {terms.due_at}, {follows[terms.on_deadline]}."


def _planned(facts: RowFacts) -> CatalogRow:
    assert facts.row is not None  # noqa: S101 -- nothing is reviewed before it was admitted
    return facts.row
