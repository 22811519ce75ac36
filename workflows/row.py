"""RowWorkflow: one row of a catalog, from admission to its record."""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.notifications.contracts import Notification
    from activities.policy.contracts import Admission
    from activities.records.contracts import RowState
    from activities.reviews.contracts import AnswersRequest, DecisionKind, ReviewDecision, ReviewOutcome
    from catalogs.row import CatalogRow
    from catalogs.team import Pattern
    from temporal import search_attributes
    from temporal.contract import run_workflow_id
    from temporal.names import ErrorCode, WorkflowName
    from workflows.contracts import BudgetFreed, Detach, RowProgress, RowResult, RowRun, RowsTaken
    from workflows.custody import edited, proposed
    from workflows.draft import RowEnded, check_edit, write_draft
    from workflows.endings import despite_cancellation, end_of, fail
    from workflows.facts import RowFacts
    from workflows.inspection import Inspection
    from workflows.performing import now
    from workflows.planning import Joining, check_proposed
    from workflows.review import ReviewProcess, ReviewRefused, ReviewState
    from workflows.reviewing import Reviewing
    from workflows.steps import RowSteps

JUDGES_EDITS: Final = 2
# What a signal without input says, which does not count; without it such a signal would stop the row.
NAMELESS: Final = ReviewDecision(by="")


@workflow.defn(name=WorkflowName.ROW)
class RowWorkflow:
    """Policy, prompt, model, verification, scan, code, review, provenance, notification, record."""

    @workflow.init
    def __init__(self, request: RowRun) -> None:
        self._request = request
        self._steps = RowSteps(request)
        self._review = ReviewProcess(request.submitter)
        self._facts = RowFacts(request, self._review)
        self._inspection = Inspection(self._steps, self._facts)
        self._reviewing = Reviewing(self._steps, self._facts, self._enter)
        self._joining = Joining(request, self._steps)
        self._detached = False

    @workflow.run
    async def run(self, request: RowRun) -> RowResult:
        """Pass the row through its steps.

        Raises:
            ApplicationError: The row did not succeed; type is the error code, detail the RowResult.
        """
        self._facts.started_at = now()
        workflow.set_current_details(self._facts.details())
        end: RowEnded | None = None
        try:
            await self._pass_steps()
        except RowEnded as ended:
            end = ended
        except (ActivityError, ApplicationError) as error:
            end = end_of(error)
        except asyncio.CancelledError:
            end = RowEnded(RowState.CANCELLED, ErrorCode.CANCELLED, "cancelled")
        result = await despite_cancellation(self._close(end))
        if self._detached:
            parent = workflow.get_external_workflow_handle(run_workflow_id(request.run))
            await parent.signal("row_finished", result)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result.state is not RowState.SUCCEEDED:
            fail(result)
        return result

    @workflow.update
    def decide(self, decision: ReviewDecision) -> ReviewOutcome:
        """Take a person's decision and say where the review stands.

        Raises:
            ApplicationError: The decision does not count; its type is the error code.
        """
        try:
            return self._review.take(decision, now())
        except ReviewRefused as refused:
            raise ApplicationError(refused.message, type=refused.refusal, non_retryable=True) from None

    @decide.validator
    def _check(self, decision: ReviewDecision) -> None:
        """Refuse what would not count, before there is any event of it."""
        try:
            self._review.check(decision)
        except ReviewRefused as refused:
            raise ApplicationError(refused.message, type=refused.refusal, non_retryable=True) from None

    @workflow.signal(name="decide")
    def decide_by_signal(self, decision: ReviewDecision = NAMELESS) -> None:
        """Take a decision of any kind from an outside system; a signal has no answer."""
        self._signalled(decision, decision.kind)

    @workflow.signal
    def approve(self, decision: ReviewDecision = NAMELESS) -> None:
        """Approve the output as it is."""
        self._signalled(decision, DecisionKind.APPROVE)

    @workflow.signal
    def reject(self, decision: ReviewDecision = NAMELESS) -> None:
        """Reject the output; the row ends."""
        self._signalled(decision, DecisionKind.REJECT)

    @workflow.signal
    def request_changes(self, decision: ReviewDecision = NAMELESS) -> None:
        """Have the model write the output anew, with this feedback."""
        self._signalled(decision, DecisionKind.REQUEST_CHANGES)

    @workflow.signal
    def detach(self, detach: Detach) -> None:  # noqa: ARG002 -- every signal takes one model
        """Report the end by signal: the parent continues as new and will not see it otherwise."""
        self._detached = True
        self._joining.again()

    @workflow.signal
    def rows_taken(self, taken: RowsTaken) -> None:
        """Hear whether the run has taken in the rows that this one planned."""
        self._joining.answered(taken)

    @workflow.signal
    def budget_freed(self, freed: BudgetFreed) -> None:
        """Ask the model after all: there is enough of the budget again."""
        self._steps.free(freed.stop)

    @workflow.query
    def progress(self) -> RowProgress:
        """Return where the row is and what its steps did."""
        review = self._review
        return RowProgress(
            state=self._facts.state,
            step=self._steps.current,
            steps=tuple(self._steps.records),
            review=review.reasons if review.waiting else (),
            outcome=review.outcome() if review.round else None,
            terms=review.terms if review.waiting else None,
        )

    def _signalled(self, decision: ReviewDecision, kind: DecisionKind) -> None:
        signed = decision.model_copy(update={"kind": kind, "via": decision.via or "signal"})
        try:
            self._review.take(signed, now())
        except ReviewRefused as refused:
            workflow.logger.warning("%s by %s did not count: %s", kind.value, decision.by, refused.message)

    async def _pass_steps(self) -> None:
        admission = await self._admit()
        await self._produce(admission.row, ())
        reasons = await self._inspection.reasons(admission)
        carried = None
        while reasons:
            decision = await self._reviewing.decided(reasons, carried)
            if decision is not None and decision.kind is not DecisionKind.APPROVE:
                reasons, carried = await self._changed(admission, decision, reasons)
                continue
            # No person outvotes the policy: a text that it denies is edited, or it goes nowhere.
            reasons, carried = self._inspection.denied + self._facts.draft.unplannable, None
            if reasons and decision is None:
                raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, "; ".join(reasons))
        if admission.row.pattern is Pattern.PLAN:
            await self._joining.join(self._facts.draft)
            self._facts.joined = True

    async def _admit(self) -> Admission:
        admission = await self._steps.admit()
        self._facts.admission = admission
        self._facts.draft.routed = admission.routed
        self._steps.local_only = admission.decision.local_only
        self._steps.trial = admission.trial
        workflow.set_current_details(self._facts.details())
        if not admission.decision.allow:
            reasons = "; ".join(admission.decision.deny) or "the policy gave no reason"
            raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, reasons)
        return admission

    async def _produce(self, row: CatalogRow, feedback: tuple[str, ...]) -> None:
        """Have the model write, then look at what it wrote."""
        await write_draft(self._steps, row, self._facts.draft, self._request.options.judge_group, feedback)
        self._facts.original = None
        check_proposed(row, self._facts.draft)
        await self._inspection.look(row)

    async def _changed(
        self, admission: Admission, decision: ReviewDecision, reasons: tuple[str, ...]
    ) -> tuple[tuple[str, ...], ReviewDecision | None]:
        """Do what a decision asks for; return why a person must look again, and the edit to be looked at."""
        row, draft = admission.row, self._facts.draft
        if decision.kind is DecisionKind.REQUEST_CHANGES:
            await self._produce(row, (f"{decision.by} asks for changes: {decision.comment}",))
            anew = await self._inspection.reasons(admission)
            return (f"{decision.by} asked for changes: {decision.comment}", *anew), None
        ended = self._review.state
        original = draft.output
        assert original is not None  # noqa: S101 -- there is nothing to decide on without an output
        self._facts.original = self._facts.original or original.digest
        draft.edited = await self._edited(decision, original)
        objections = await self._verify_anew(row, decision)
        draft.custody += (edited(original, decision, draft.edited, self._review.round),)
        if draft.proposed is not None:
            draft.custody += proposed(draft.edited, draft.proposed)
        try:
            objections += await self._inspection.objections(admission)
        except RowEnded as failed:
            objections += (failed.message,)
        if objections:
            return tuple(f"after the edit by {decision.by}: {objection}" for objection in objections), None
        if ended is ReviewState.APPROVED:
            return (), None
        return (f"{decision.by} edited the text", *reasons), decision

    async def _verify_anew(self, row: CatalogRow, decision: ReviewDecision) -> tuple[str, ...]:
        """Verify the text that a person wrote; return what it fails and the text before it did not."""
        draft, judged = self._facts.draft, self._request.revision >= JUDGES_EDITS
        earlier = draft.verdicts
        misfits = await check_edit(self._steps, row, draft, self._request.options.judge_group if judged else "")
        # Who answers a form chose none of the words that the criteria are about.
        return misfits or (draft.failures_beyond(earlier) if judged and decision.kind is DecisionKind.EDIT else ())

    async def _edited(self, decision: ReviewDecision, original: Text) -> Text:
        if decision.output is not None:
            return decision.output
        return await self._steps.attach_answers(
            AnswersRequest(
                step=self._steps.ref("answers"), output=original, answers=decision.answers or {}, by=decision.by
            )
        )

    def _enter(self, state: RowState) -> None:
        self._facts.state = state
        workflow.upsert_search_attributes(
            [
                search_attributes.STATUS.value_set(state.value),
                search_attributes.REVIEW.value_set(self._review.state.value),
            ]
        )
        workflow.set_current_details(self._facts.details())

    async def _close(self, end: RowEnded | None) -> RowResult:
        """Sign, tell and record the end, whatever it is."""
        facts = self._facts
        state = end.state if end else RowState.SUCCEEDED
        code, message = (end.code.value, end.message) if end else ("", "")
        output = facts.draft.output
        envelope = None
        await self._reviewing.close()
        if output is not None and facts.admission is not None:
            envelope = (await self._steps.seal(facts.seal_request(self._steps, facts.admission, output))).envelope
        await self._steps.notify(
            Notification(
                step=self._steps.ref("notify"),
                recipients=facts.row.notify if facts.row else (),
                title=f"{facts.name}: {state.value.replace('_', ' ')}",
                body=message,
                severity="error" if end else "info",
            )
        )
        self._enter(state)
        await self._steps.record(
            facts.record(self._steps, state, code=code, message=message, envelope=envelope, finished_at=now())
        )
        # The record keeps the text; through the parent's history goes only where to find it.
        return RowResult(
            index=self._request.index,
            row=self._request.row,
            state=state,
            code=code,
            message=message,
            output=output.by_reference if output else None,
            remember=facts.row.remember if facts.row else "",
            files=facts.files,
        )
