"""RowWorkflow: one row of a catalog, from admission to its record."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text, digest_of
    from activities.notifications.contracts import Notification
    from activities.policy.contracts import Admission
    from activities.records.contracts import RowState
    from activities.reviews.contracts import AnswersRequest, DecisionKind, ReviewDecision, ReviewOutcome
    from activities.sandbox.contracts import ExitReason, SandboxRequest
    from catalogs.row import CatalogRow, Review, Scan
    from temporal import search_attributes
    from temporal.contract import run_workflow_id
    from temporal.names import ErrorCode, WorkflowName
    from workflows.contracts import BudgetFreed, Detach, RowProgress, RowResult, RowRun
    from workflows.custody import contract_digest, edited, executed, scanned
    from workflows.draft import RowEnded, write_draft
    from workflows.endings import despite_cancellation, end_of, fail
    from workflows.facts import RowFacts
    from workflows.review import ReviewProcess, ReviewRefused, ReviewState
    from workflows.reviewing import Reviewing
    from workflows.steps import RowSteps, now


@workflow.defn(name=WorkflowName.ROW)
class RowWorkflow:
    """Policy, prompt, model, verification, scan, code, review, provenance, notification, record."""

    @workflow.init
    def __init__(self, request: RowRun) -> None:
        self._request = request
        self._steps = RowSteps(request)
        self._review = ReviewProcess(request.submitter)
        self._facts = RowFacts(request, self._review)
        self._reviewing = Reviewing(self._steps, self._facts, self._enter)
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
        except ActivityError as error:
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
    def decide_by_signal(self, decision: ReviewDecision) -> None:
        """Take a decision of any kind from an outside system; a signal has no answer."""
        self._signalled(decision, decision.kind)

    @workflow.signal
    def approve(self, decision: ReviewDecision) -> None:
        """Approve the output as it is."""
        self._signalled(decision, DecisionKind.APPROVE)

    @workflow.signal
    def reject(self, decision: ReviewDecision) -> None:
        """Reject the output; the row ends."""
        self._signalled(decision, DecisionKind.REJECT)

    @workflow.signal
    def request_changes(self, decision: ReviewDecision) -> None:
        """Have the model write the output anew, with this feedback."""
        self._signalled(decision, DecisionKind.REQUEST_CHANGES)

    @workflow.signal
    def detach(self, detach: Detach) -> None:  # noqa: ARG002 -- every signal takes one model
        """Report the end by signal: the parent continues as new and will not see it otherwise."""
        self._detached = True

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
        reasons = self._reasons(admission)
        carried = None
        while reasons:
            decision = await self._reviewing.decided(reasons, carried)
            if decision is None or decision.kind is DecisionKind.APPROVE:
                return
            reasons, carried = await self._changed(admission, decision, reasons)

    async def _admit(self) -> Admission:
        admission = await self._steps.admit()
        self._facts.admission = admission
        workflow.set_current_details(self._facts.details())
        if not admission.decision.allow:
            reasons = "; ".join(admission.decision.deny) or "the policy gave no reason"
            raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, reasons)
        return admission

    async def _produce(self, row: CatalogRow, feedback: tuple[str, ...]) -> None:
        """Have the model write, then look at what it wrote."""
        await write_draft(self._steps, row, self._facts.draft, self._request.options.judge_group, feedback)
        self._facts.original = None
        await self._inspect(row)

    async def _inspect(self, row: CatalogRow) -> None:
        output = self._facts.draft.output
        if output is None:
            return
        if row.scan is not Scan.NONE:
            report = await self._steps.scan(output)
            self._facts.findings = report.findings
            self._facts.draft.custody += (scanned(output, report),)
        await self._execute(row, output)

    async def _execute(self, row: CatalogRow, output: Text) -> None:
        if row.language is None:
            return
        request = SandboxRequest(
            step=self._steps.ref("code"),
            language=row.language,
            code=_by_value(row.code) if row.code else output,
            extract=not row.code,
            stdin=output,
            secrets=row.secrets,
        )
        result = await self._steps.execute(request)
        self._facts.code_result = contract_digest(result)
        self._facts.draft.custody += (executed(output, request, result),)
        if result.reason is not ExitReason.OK:
            tail = (result.stderr.inline or "").strip().splitlines()[-1:] or [""]
            message = f"the program ended with {result.reason.value}, exit code {result.exit_code}: {tail[0]}"
            raise RowEnded(RowState.FAILED, ErrorCode.CODE_FAILED, message)

    def _reasons(self, admission: Admission) -> tuple[str, ...]:
        """Return why a person must decide, or could where the output needs it; empty when nobody has to.

        Raises:
            RowEnded: The output cannot pass, and the row has no review that could save it.
        """
        row, draft = admission.row, self._facts.draft
        reasons = [*admission.decision.review, *admission.approval]
        if row.review is Review.REQUIRED:
            reasons.insert(0, "the catalog requires a review of this row")
        possible = bool(reasons) or row.review is not Review.NONE
        if draft.failures:
            if not possible:
                raise RowEnded(RowState.VERIFICATION_FAILED, ErrorCode.VERIFICATION_FAILED, "; ".join(draft.failures))
            reasons.extend(draft.failures)
        if secrets := self._secrets():
            if not possible:
                raise RowEnded(RowState.FAILED, ErrorCode.SECRETS_IN_OUTPUT, secrets)
            reasons.append(secrets)
        return tuple(reasons)

    def _secrets(self) -> str:
        found = ", ".join(f"{finding.rule} on line {finding.line}" for finding in self._facts.findings)
        return f"secrets in the output: {found}" if found else ""

    async def _changed(
        self, admission: Admission, decision: ReviewDecision, reasons: tuple[str, ...]
    ) -> tuple[tuple[str, ...], ReviewDecision | None]:
        """Do what a decision asks for; return why a person must look again, and the edit to be looked at."""
        row, draft = admission.row, self._facts.draft
        if decision.kind is DecisionKind.REQUEST_CHANGES:
            await self._produce(row, (f"{decision.by} asks for changes: {decision.comment}",))
            return (f"{decision.by} asked for changes: {decision.comment}", *self._reasons(admission)), None
        ended = self._review.state
        original = draft.output
        assert original is not None  # noqa: S101 -- there is nothing to decide on without an output
        self._facts.original = self._facts.original or original.digest
        draft.edited = await self._edited(decision, original)
        draft.custody += (edited(original, decision, draft.edited, self._review.round),)
        if row.verification:
            draft.verdicts = (await self._steps.verify(row, draft.edited)).verdicts
        try:
            await self._inspect(row)
        except RowEnded as failed:
            return (f"after the edit by {decision.by}: {failed.message}",), None
        if secrets := self._secrets():
            return (f"after the edit by {decision.by}: {secrets}",), None
        if ended is ReviewState.APPROVED:
            return (), None
        return (f"{decision.by} edited the text", *reasons), decision

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
            output=output.model_copy(update={"inline": None}) if output else None,
        )


def _by_value(text: str) -> Text:
    data = text.encode()
    return Text(digest=digest_of(data), size=len(data), inline=text)
