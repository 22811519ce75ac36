"""The steps of a row: each calls one activity under its timeouts and keeps a record of what it did."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.llm.activity import ModelActivities
    from activities.llm.contracts import Judgement, JudgeRequest, ModelAnswer, ModelRequest, ToolCall
    from activities.notifications.activity import NotificationActivities
    from activities.notifications.contracts import Delivery, Notification
    from activities.policy.activity import PolicyActivities
    from activities.policy.contracts import Admission, AdmissionRequest
    from activities.policy.release_contracts import ReleaseDecision, ReleaseRequest
    from activities.prompts.activity import PromptActivities
    from activities.prompts.contracts import ComposeRequest, NamedText, Prompt
    from activities.provenance.activity import ProvenanceActivities
    from activities.provenance.contracts import Seal, SealRequest
    from activities.records.activity import RecordActivities
    from activities.records.contracts import RowRecord
    from activities.reviews.activity import ReviewActivities
    from activities.reviews.contracts import AnswersRequest, ReviewOpening, ReviewRecord, ReviewTerms
    from activities.routing.activity import RoutingActivities
    from activities.routing.contracts import Route, RouteRequest
    from activities.sandbox.activity import SandboxActivities
    from activities.sandbox.contracts import SandboxRequest, SandboxResult
    from activities.scans.activity import CodeScanActivities, ScanActivities
    from activities.scans.contracts import CodeScanReport, CodeScanRequest, ScanReport, ScanRequest
    from activities.scans.file_activity import FileScanActivities
    from activities.scans.file_contracts import FilesScanRequest
    from activities.tools.activity import ToolActivities
    from activities.tools.contracts import ToolCheck, ToolCheckRequest
    from activities.verification.activity import VerificationActivities
    from activities.verification.contracts import (
        Structured,
        StructureRequest,
        Verification,
        VerificationRequest,
    )
    from catalogs.row import CatalogRow, Mode
    from workflows.caching import Caching
    from workflows.contracts import RowRun, RunOptions
    from workflows.performing import StepPerformer
    from workflows.timeouts import QUICK_CHECK, SANDBOXED, SCAN, SCAN_CODE, paid_call


class RowSteps(StepPerformer):
    """The steps of a row."""

    def __init__(self, request: RowRun) -> None:
        super().__init__(request)
        # Whose model writes instead of the one that the row names, and whether anybody outside may be asked at all.
        self.group = ""
        self.local_only = False
        self._caching = Caching(request.generation)

    async def admit(self) -> Admission:
        """Load the row and ask the policy whether it may run."""
        step = self._ref("policy")
        request = AdmissionRequest(
            step=step,
            plan=self._request.plan,
            index=self._request.index,
            submitter=self._request.submitter,
            policy=self._request.options.policy,
        )
        return await self._perform(
            step,
            lambda: workflow.execute_local_activity_method(PolicyActivities.admit, request, **QUICK_CHECK),
        )

    async def compose(
        self,
        row: CatalogRow,
        phase: int | None = None,
        earlier: tuple[NamedText, ...] = (),
        failures: tuple[str, ...] = (),
        previous: Text | None = None,
    ) -> Prompt:
        """Compose the prompt of the whole row or of one of its phases."""
        step = self._ref("prompt")
        request = ComposeRequest(
            step=step,
            row=row,
            upstream=self._request.upstream,
            phase=phase,
            earlier=earlier,
            failures=failures,
            previous=previous,
        )
        return await self._perform(
            step,
            lambda: workflow.execute_local_activity_method(PromptActivities.compose, request, **QUICK_CHECK),
        )

    @property
    def options(self) -> RunOptions:
        """The settings of the run."""
        return self._request.options

    async def route(self, row: CatalogRow, prompt: Prompt) -> Route:
        """Choose who writes the row; within a generation of calls the choice stays."""
        request = RouteRequest(
            step=self._ref("route", paid=True),
            model=row.model,
            risk=row.risk,
            local_only=self.local_only,
            prompt_bytes=prompt.text.size + len(prompt.system),
            max_tokens=self._request.options.max_tokens,
            calls=max(len(row.workflow), 1) if row.mode is Mode.STEPWISE else 1,
            criteria=row.verification,
            runs_code=row.language is not None,
            refused=self._request.generation > 0,
        )
        return await self._perform(
            request.step,
            lambda: workflow.execute_local_activity_method(RoutingActivities.route, request, **QUICK_CHECK),
        )

    async def complete(self, row: CatalogRow, prompt: Prompt, **more: Any) -> ModelAnswer:  # noqa: ANN401 -- fields
        """Ask the model; what is asked besides are fields of ``ModelRequest``."""
        step = self._ref("model", paid=True)
        request = ModelRequest(
            step=step,
            group=self.group or row.model,
            system=prompt.system,
            prompt=prompt.text,
            max_tokens=self._request.options.max_tokens,
            timeout=row.timeout,
            attempts=row.retries + 1,
            local_only=self.local_only,
            board=row.board,
            **more,
        )
        request = request.model_copy(update={"cache": self._caching.of(row, request.digest)})
        options = paid_call(row.timeout, row.retries)
        return await self._paid(
            step,
            lambda: workflow.execute_activity_method(
                ModelActivities.complete,
                request,
                summary=f"ask {request.group or 'the default model'}",
                **options,
            ),
        )

    async def verify(self, row: CatalogRow, output: Text) -> Verification:
        """Check the criteria that code can check."""
        step = self._ref("verification")
        request = VerificationRequest(step=step, criteria=row.verification, output=output)
        return await self._perform(
            step,
            lambda: workflow.execute_local_activity_method(VerificationActivities.verify, request, **QUICK_CHECK),
        )

    async def structure(self, output_schema: dict[str, Any], output: Text) -> Structured:
        """Check an answer against its schema, and put it in canonical form."""
        step = self._ref("structure")
        request = StructureRequest(step=step, output_schema=output_schema, output=output)
        return await self._perform(
            step,
            lambda: workflow.execute_local_activity_method(VerificationActivities.structure, request, **QUICK_CHECK),
        )

    async def judge(self, row: CatalogRow, criteria: tuple[str, ...], output: Text) -> Judgement:
        """Have the judging model look at the criteria that code cannot check."""
        step = self._ref("judge", paid=True)
        request = JudgeRequest(
            step=step,
            group=self._request.options.judge_group,
            objective=row.objective,
            criteria=criteria,
            output=output,
            timeout=row.timeout,
            local_only=self.local_only,
            cache=self._caching.of(row, output.digest),
            board=row.board,
        )
        options = paid_call(row.timeout, row.retries)
        return await self._paid(
            step,
            lambda: workflow.execute_activity_method(ModelActivities.judge, request, summary="judge", **options),
        )

    async def scan(self, output: Text) -> ScanReport:
        """Scan the output for secrets."""
        step = self._ref("scan")
        request = ScanRequest(step=step, text=output)
        return await self._perform(
            step, lambda: workflow.execute_local_activity_method(ScanActivities.scan, request, **SCAN)
        )

    async def scan_code(self, request: CodeScanRequest) -> CodeScanReport:
        """Scan the code of the output."""
        return await self._perform(
            request.step,
            lambda: workflow.execute_activity_method(
                CodeScanActivities.scan_code, request, summary="scan the code", **SCAN_CODE
            ),
        )

    async def scan_files(self, request: FilesScanRequest) -> CodeScanReport:
        """Scan what the row's program left."""
        return await self._perform(
            request.step,
            lambda: workflow.execute_activity_method(
                FileScanActivities.scan_files, request, summary="scan the files", **SCAN_CODE
            ),
        )

    async def release(self, request: ReleaseRequest) -> ReleaseDecision:
        """Ask the policy whether the output may leave."""
        return await self._perform(
            request.step,
            lambda: workflow.execute_local_activity_method(PolicyActivities.release, request, **QUICK_CHECK),
        )

    async def execute(self, request: SandboxRequest, tool: str = "") -> SandboxResult:
        """Run the row's code in the sandbox, or a tool's."""
        return await self._perform(
            request.step,
            lambda: workflow.execute_activity_method(
                SandboxActivities.execute, request, summary=f"run {tool or request.language}", **SANDBOXED
            ),
        )

    async def check_tool(self, row: CatalogRow, call: ToolCall, calls: int) -> ToolCheck:
        """Ask whether a call is carried out."""
        step = self._ref("tool-policy")
        request = ToolCheckRequest(
            step=step,
            tools=row.tools,
            name=call.name,
            arguments=call.arguments,
            calls=calls,
            risk=row.risk.value,
            labels=row.labels,
            submitter=self._request.submitter,
            policy=self._request.options.policy,
        )
        return await self._perform(
            step, lambda: workflow.execute_local_activity_method(ToolActivities.check, request, **QUICK_CHECK)
        )

    async def run_tool(self, row: CatalogRow, check: ToolCheck) -> SandboxResult:
        """Carry out a call."""
        assert check.language is not None  # noqa: S101 -- who is let through has a program
        assert check.program is not None  # noqa: S101 -- likewise
        request = SandboxRequest(
            step=self._ref("tool"),
            language=check.language,
            code=check.program,
            stdin=check.arguments,
            risk=row.risk.value,
            labels=row.labels,
            policy=self._request.options.policy,
        )
        return await self.execute(request, check.name)

    async def seal(self, request: SealRequest) -> Seal:
        """Sign how the output came to be."""
        return await self._perform(
            request.step,
            lambda: workflow.execute_local_activity_method(ProvenanceActivities.seal, request, **QUICK_CHECK),
        )

    async def notify(self, notification: Notification) -> Delivery:
        """Tell people."""
        return await self._perform(
            notification.step,
            lambda: workflow.execute_local_activity_method(NotificationActivities.notify, notification, **QUICK_CHECK),
        )

    async def open_review(self, opening: ReviewOpening) -> ReviewTerms:
        """Ask who decides on a round, and until when."""
        return await workflow.execute_local_activity_method(ReviewActivities.open_review, opening, **QUICK_CHECK)

    async def record_review(self, record: ReviewRecord) -> None:
        """Record a round as it stands."""
        await workflow.execute_local_activity_method(ReviewActivities.record_review, record, **QUICK_CHECK)

    async def attach_answers(self, request: AnswersRequest) -> Text:
        """Make the answers to a form part of the output."""
        return await workflow.execute_local_activity_method(ReviewActivities.attach_answers, request, **QUICK_CHECK)

    async def record(self, record: RowRecord) -> None:
        """Record the row as it stands."""
        await workflow.execute_local_activity_method(RecordActivities.record_row, record, **QUICK_CHECK)
