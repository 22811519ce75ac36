"""RowWorkflow: one row of a catalog, from admission to its record."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text, digest_of
    from activities.notifications.contracts import Notification
    from activities.policy.contracts import Admission, Decision
    from activities.provenance.contracts import SealRequest
    from activities.records.contracts import RowRecord, RowState
    from activities.sandbox.contracts import ExitReason, SandboxRequest
    from activities.scans.contracts import Finding
    from catalogs.row import CatalogRow, Review, Scan
    from temporal import search_attributes
    from temporal.contract import Contract, run_workflow_id
    from temporal.names import ErrorCode, WorkflowName
    from workflows.contracts import Detach, ReviewDecision, RowProgress, RowResult, RowRun
    from workflows.draft import Draft, RowEnded, write_draft
    from workflows.review import ReviewProcess, ReviewState
    from workflows.steps import RowSteps, now
    from workflows.summaries import verdict_line


@workflow.defn(name=WorkflowName.ROW)
class RowWorkflow:
    """Policy, prompt, model, verification, scan, code, review, provenance, notification, record."""

    @workflow.init
    def __init__(self, request: RowRun) -> None:
        self._request = request
        self._steps = RowSteps(request)
        self._review = ReviewProcess()
        self._draft = Draft()
        self._row: CatalogRow | None = None
        self._decision: Decision | None = None
        self._findings: tuple[Finding, ...] = ()
        self._code_result: str | None = None
        self._state = RowState.RUNNING
        self._detached = False
        self._started_at = ""

    @workflow.run
    async def run(self, request: RowRun) -> RowResult:
        """Pass the row through its steps.

        Raises:
            ApplicationError: The row did not succeed; type is the error code, detail the RowResult.
        """
        self._started_at = now()
        workflow.set_current_details(self._details())
        end: RowEnded | None = None
        try:
            await self._pass_steps()
        except RowEnded as ended:
            end = ended
        except ActivityError as error:
            end = _end_of(error)
        except asyncio.CancelledError:
            end = RowEnded(RowState.CANCELLED, ErrorCode.CANCELLED, "cancelled")
        result = await _despite_cancellation(self._close(end))
        if self._detached:
            parent = workflow.get_external_workflow_handle(run_workflow_id(request.run))
            await parent.signal("row_finished", result)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result.state is not RowState.SUCCEEDED:
            _raise(result)
        return result

    @workflow.signal
    def approve(self, decision: ReviewDecision) -> None:
        """Approve the output as it is."""
        if not self._review.approve(decision):
            workflow.logger.warning("approval by %s did not count", decision.by)

    @workflow.signal
    def reject(self, decision: ReviewDecision) -> None:
        """Reject the output; the row ends."""
        if not self._review.reject(decision):
            workflow.logger.warning("rejection by %s did not count", decision.by)

    @workflow.signal
    def detach(self, detach: Detach) -> None:  # noqa: ARG002 -- every signal takes one model
        """Report the end by signal: the parent continues as new and will not see it otherwise."""
        self._detached = True

    @workflow.query
    def progress(self) -> RowProgress:
        """Return where the row is and what its steps did."""
        return RowProgress(
            state=self._state,
            step=self._steps.current,
            steps=tuple(self._steps.records),
            review=self._review.reasons if self._review.waiting else (),
        )

    async def _pass_steps(self) -> None:
        admission = await self._admit()
        row = admission.row
        await write_draft(self._steps, row, self._draft, self._request.options.judge_group)
        if row.scan is not Scan.NONE and self._draft.answer:
            self._findings = (await self._steps.scan(self._draft.answer)).findings
        if row.language is not None:
            await self._execute(row)
        await self._settle(row, admission.decision)

    async def _admit(self) -> Admission:
        admission = await self._steps.admit()
        self._row, self._decision = admission.row, admission.decision
        workflow.set_current_details(self._details())
        if not admission.decision.allow:
            reasons = "; ".join(admission.decision.deny) or "the policy gave no reason"
            raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, reasons)
        return admission

    async def _execute(self, row: CatalogRow) -> None:
        answer = self._draft.answer
        if row.language is None or answer is None:
            return
        code = _by_value(row.code) if row.code else answer.output
        result = await self._steps.execute(
            SandboxRequest(
                step=self._steps.ref("code"),
                language=row.language,
                code=code,
                extract=not row.code,
                stdin=answer.output,
            )
        )
        self._code_result = digest_of(_canonical(result))
        if result.reason is not ExitReason.OK:
            tail = (result.stderr.inline or "").strip().splitlines()[-1:] or [""]
            message = f"the program ended with {result.reason.value}, exit code {result.exit_code}: {tail[0]}"
            raise RowEnded(RowState.FAILED, ErrorCode.CODE_FAILED, message)

    async def _settle(self, row: CatalogRow, decision: Decision) -> None:
        """Have a person decide where one must, or where one can and the output needs it."""
        reasons = list(decision.review)
        if row.review is Review.REQUIRED:
            reasons.insert(0, "the catalog requires a review of this row")
        possible = bool(reasons) or row.review is not Review.NONE
        failures = self._draft.failures
        if failures:
            if not possible:
                raise RowEnded(RowState.VERIFICATION_FAILED, ErrorCode.VERIFICATION_FAILED, "; ".join(failures))
            reasons.extend(failures)
        if self._findings:
            secrets = ", ".join(f"{finding.rule} on line {finding.line}" for finding in self._findings)
            if not possible:
                raise RowEnded(RowState.FAILED, ErrorCode.SECRETS_IN_OUTPUT, f"secrets in the output: {secrets}")
            reasons.append(f"secrets in the output: {secrets}")
        if reasons:
            await self._wait_for_review(row, tuple(reasons))

    async def _wait_for_review(self, row: CatalogRow, reasons: tuple[str, ...]) -> None:
        opened_at = now()
        self._review.open(reasons, row.reviewers)
        self._enter(RowState.REVIEW)
        # Reviewers see on every path what they decide on.
        await self._steps.record(self._record(RowState.REVIEW, message="; ".join(reasons)))
        await self._steps.notify(
            Notification(
                step=self._steps.ref("review"),
                recipients=row.reviewers or row.notify,
                title=f"Review wanted: {row.title or row.id}",
                body="; ".join(reasons),
                severity="warning",
            )
        )
        await self._decided(row)
        decision = self._review.decision
        by = decision.by if decision else "nobody"
        comment = decision.comment if decision else ""
        detail = {"state": self._review.state.value, "by": by, "comment": comment, "reasons": list(reasons)}
        self._steps.note("review", f"{self._review.state.value} by {by}", opened_at, detail)
        if self._review.state is ReviewState.EXPIRED:
            raise RowEnded(RowState.REJECTED, ErrorCode.REVIEW_EXPIRED, "nobody decided before the deadline")
        if self._review.state is ReviewState.REJECTED:
            raise RowEnded(RowState.REJECTED, ErrorCode.REVIEW_REJECTED, f"rejected by {by}: {comment}".rstrip(": "))
        self._enter(RowState.RUNNING)

    async def _decided(self, row: CatalogRow) -> None:
        timeout = timedelta(seconds=row.deadline) if row.deadline else None
        try:
            await workflow.wait_condition(
                lambda: not self._review.waiting, timeout=timeout, timeout_summary="review deadline"
            )
        except TimeoutError:
            self._review.expire()

    def _enter(self, state: RowState) -> None:
        self._state = state
        workflow.upsert_search_attributes(
            [
                search_attributes.STATUS.value_set(state.value),
                search_attributes.REVIEW.value_set(self._review.state.value),
            ]
        )
        workflow.set_current_details(self._details())

    async def _close(self, end: RowEnded | None) -> RowResult:
        """Sign, tell and record the end, whatever it is."""
        state = end.state if end else RowState.SUCCEEDED
        code, message = (end.code.value, end.message) if end else ("", "")
        answer, row = self._draft.answer, self._row
        output = answer.output if answer else None
        envelope = None
        if answer is not None and row is not None:
            envelope = (await self._steps.seal(self._seal_request(row, answer.output.digest))).envelope
        await self._steps.notify(
            Notification(
                step=self._steps.ref("notify"),
                recipients=row.notify if row else (),
                title=f"{(row.title if row else '') or self._request.row}: {state.value.replace('_', ' ')}",
                body=message,
                severity="error" if end else "info",
            )
        )
        self._enter(state)
        await self._steps.record(self._record(state, code=code, message=message, envelope=envelope, finished_at=now()))
        # The record keeps the text; through the parent's history goes only where to find it.
        reference = output.model_copy(update={"inline": None}) if output else None
        return RowResult(
            index=self._request.index,
            row=self._request.row,
            state=state,
            code=code,
            message=message,
            output=reference,
        )

    def _record(
        self,
        state: RowState,
        *,
        code: str = "",
        message: str = "",
        envelope: str | None = None,
        finished_at: str | None = None,
    ) -> RowRecord:
        draft, answer = self._draft, self._draft.answer
        return RowRecord(
            step=self._steps.ref("record"),
            state=state,
            generation=self._request.generation,
            started_at=self._started_at,
            finished_at=finished_at,
            code=code,
            message=message,
            output=answer.output if answer else None,
            model=answer.model if answer else "",
            prompt_tokens=draft.prompt_tokens,
            completion_tokens=draft.completion_tokens,
            cost_usd=draft.cost_usd,
            envelope=envelope,
            verdicts=draft.verdicts,
            findings=self._findings,
            steps=tuple(self._steps.records),
        )

    def _seal_request(self, row: CatalogRow, output: str) -> SealRequest:
        decision = self._decision
        assert decision is not None  # noqa: S101 -- a row is set together with its decision
        review = None
        if self._review.state is not ReviewState.NONE:
            by = self._review.decision.by if self._review.decision else "nobody"
            review = {"state": self._review.state.value, "by": by}
        return SealRequest(
            step=self._steps.ref("provenance"),
            output=output,
            row_digest=digest_of(_canonical(row)),
            plan=self._request.plan,
            prompts=self._draft.prompts,
            models=self._draft.models,
            decision_digest=digest_of(_canonical(decision)),
            policy=decision.policy,
            code_result=self._code_result,
            verdicts=tuple(
                {"criterion": v.criterion, "basis": v.basis.value, "passed": str(v.passed).lower()}
                for v in self._draft.verdicts
            ),
            review=review,
            started_at=self._started_at,
            finished_at=now(),
        )

    def _details(self) -> str:
        """Return what Temporal Web shows of the row, in Markdown."""
        row = self._row
        lines = [f"**State** {self._state.value}"]
        if row is not None:
            lines += [f"**Board** {row.board or '-'}", f"**Objective** {row.objective}"]
        if self._draft.verdicts:
            lines.append(f"**Criteria** {verdict_line(self._draft.verdicts)}")
        if self._review.reasons:
            lines.append("**Review** " + "; ".join(self._review.reasons))
        return "\n\n".join(lines)


def _end_of(error: ActivityError) -> RowEnded:
    if is_cancelled_exception(error):
        return RowEnded(RowState.CANCELLED, ErrorCode.CANCELLED, "cancelled")
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in set(ErrorCode):
        return RowEnded(RowState.FAILED, ErrorCode(cause.type), cause.message)
    return RowEnded(RowState.FAILED, ErrorCode.INTERNAL, f"{error.activity_type}: {cause or error}")


async def _despite_cancellation(closing: Coroutine[Any, Any, RowResult]) -> RowResult:
    """Finish closing a row although a cancellation arrives meanwhile: what has happened gets recorded."""
    task = asyncio.create_task(closing)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise


def _canonical(model: Contract) -> bytes:
    return model.model_dump_json().encode()


def _by_value(text: str) -> Text:
    data = text.encode()
    return Text(digest=digest_of(data), size=len(data), inline=text)


def _raise(result: RowResult) -> NoReturn:
    if result.state is RowState.CANCELLED:
        raise asyncio.CancelledError
    raise ApplicationError(result.message, result, type=result.code or ErrorCode.INTERNAL, non_retryable=True)
