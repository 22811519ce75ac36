"""The steps of a row: each calls one activity under its timeouts and keeps a record of what it did."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text, digest_of
    from activities.experiments.contracts import Trial
    from activities.knowledge.activity import KnowledgeActivities
    from activities.knowledge.contracts import Retrieved, RetrieveRequest
    from activities.llm.activity import ModelActivities
    from activities.llm.contracts import Judgement, JudgeRequest, ModelAnswer, ModelRequest, ToolCall
    from activities.llm.groups import AUTO
    from activities.notifications.activity import NotificationActivities
    from activities.notifications.contracts import Delivery, Notification
    from activities.planning.activity import PlanningActivities
    from activities.planning.contracts import ProposalRequest, Proposed
    from activities.policy.activity import PolicyActivities
    from activities.policy.contracts import Admission, AdmissionRequest
    from activities.policy.release_contracts import ReleaseDecision, ReleaseRequest
    from activities.prompts.activity import PromptActivities
    from activities.prompts.contracts import ComposeRequest, NamedText, Prompt, Turn
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
    from catalogs.row import Cache, CatalogRow, Mode
    from catalogs.team import Agent
    from temporal.contract import StepRef
    from workflows.caching import Caching
    from workflows.contracts import RowRun, RunOptions
    from workflows.performing import StepPerformer
    from workflows.timeouts import PLANNING, QUICK_CHECK, SANDBOXED, SCAN, SCAN_CODE, paid_call


class RowSteps(StepPerformer):
    """The steps of a row.

    Args:
        request: The row workflow's input.
    """

    def __init__(self, request: RowRun) -> None:
        super().__init__(request)
        self.passages: tuple[NamedText, ...] = ()
        # Whose model writes instead of the one that the row names, and whether anybody outside may be asked at all.
        self.group = ""
        self.local_only = False
        self.trial: Trial | None = None
        self._caching = Caching(request.generation)

    @property
    def options(self) -> RunOptions:
        """The settings of the run."""
        return self._request.options

    @property
    def upstream(self) -> tuple[NamedText, ...]:
        """Outputs of the rows that this one depends on."""
        return self._request.upstream

    def sees(self, row: CatalogRow, passages: tuple[NamedText, ...]) -> None:
        """Have the prompts from now on hold these passages, and the run's notes where the row has agents."""
        self.passages = passages
        held = [one.text.digest for one in (*passages, *(self._request.notes if row.team else ()))]
        # Another execution may find that the experiment has ended, and run as another variant.
        held += [self.trial.definition] if self.trial else []
        self.context = digest_of("".join(held).encode())[-16:] if held else ""

    async def admit(self) -> Admission:
        """Load the row and ask the policy whether it may run."""
        step = self._ref("policy")
        request = AdmissionRequest(
            step=step,
            plan=self._request.current,
            index=self._request.index,
            submitter=self._request.submitter,
            policy=self._request.options.policy,
        )
        return await self.perform(
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
        turn: Turn | None = None,
        step: StepRef | None = None,
    ) -> Prompt:
        """Compose the prompt of the whole row, of one of its phases, or of an agent's turn."""
        step = step or self._ref("prompt")
        agent = turn.agent if turn else None
        request = ComposeRequest(
            step=step,
            row=row.model_copy(update={"team": (), "team_tools": {}}) if row.team else row,
            upstream=self._request.upstream,
            phase=phase,
            earlier=earlier,
            failures=failures,
            previous=previous,
            turn=turn,
            notes=self._request.notes if turn else (),
            sources=self.passages,
            answer_tokens=self._longest(agent),
        )
        return await self.perform(
            step,
            lambda: workflow.execute_local_activity_method(PromptActivities.compose, request, **QUICK_CHECK),
            agent,
        )

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
        return await self.perform(
            request.step,
            lambda: workflow.execute_local_activity_method(RoutingActivities.route, request, **QUICK_CHECK),
        )

    async def complete(
        self,
        row: CatalogRow,
        prompt: Prompt,
        agent: Agent | None = None,
        step: StepRef | None = None,
        **more: Any,  # noqa: ANN401 -- fields
    ) -> ModelAnswer:
        """Ask the model, in the turn of an agent where one is defined; more are fields of ``ModelRequest``."""
        step = step or self._ref("model", paid=True)
        timeout = min(row.timeout, agent.limits.timeout or row.timeout) if agent else row.timeout
        request = ModelRequest(
            step=step,
            group=self._asked_group(row, agent),
            system=prompt.system,
            prompt=prompt.text,
            max_tokens=self._longest(agent),
            timeout=timeout,
            attempts=row.retries + 1,
            local_only=self.local_only,
            board=row.board,
            **more,
        )
        cache = self._caching.of(row, request.digest, similar=True)
        kin = (
            row.data_class or row.labels.get("data_class", ""),
            agent.digest if agent else row.agent,
            prompt.template,
        )
        alike = {"kin": kin} if cache is Cache.SEMANTIC else {}
        request = request.model_copy(update={"cache": cache, **alike})
        options = paid_call(timeout, row.retries)
        who = f"{agent.name}: " if agent else ""
        return await self._paid(
            step,
            lambda: workflow.execute_activity_method(
                ModelActivities.complete,
                request,
                summary=f"{who}ask {request.group or 'the default model'}",
                **options,
            ),
            agent,
        )

    async def retrieve(self, row: CatalogRow) -> Retrieved:
        """Look up passages of documents that fit the row."""
        step = self._ref("knowledge")
        query = " ".join(filter(None, (row.title, row.objective)))
        request = RetrieveRequest(step=step, collections=row.knowledge, query=query)
        return await self.perform(
            step,
            lambda: workflow.execute_local_activity_method(KnowledgeActivities.retrieve, request, **QUICK_CHECK),
        )

    async def verify(self, row: CatalogRow, output: Text) -> Verification:
        """Check the criteria that code can check."""
        step = self._ref("verification")
        request = VerificationRequest(step=step, criteria=row.verification, output=output)
        return await self.perform(
            step,
            lambda: workflow.execute_local_activity_method(VerificationActivities.verify, request, **QUICK_CHECK),
        )

    async def structure(self, output_schema: dict[str, Any], output: Text) -> Structured:
        """Check an answer against its schema, and put it in canonical form."""
        step = self._ref("structure")
        request = StructureRequest(step=step, output_schema=output_schema, output=output)
        return await self.perform(
            step,
            lambda: workflow.execute_local_activity_method(VerificationActivities.structure, request, **QUICK_CHECK),
        )

    async def read_proposal(self, row: CatalogRow, output: Text) -> Proposed:
        """Read the rows that an output proposes, and have the policy decide on them."""
        step = self._ref("proposal")
        request = ProposalRequest(
            step=step,
            plan=self._request.current,
            index=self._request.index,
            row=row,
            output=output,
            submitter=self._request.submitter,
            policy=self._request.options.policy,
        )
        return await self.perform(
            step,
            lambda: workflow.execute_activity_method(
                PlanningActivities.read, request, summary="read the proposed rows", **PLANNING
            ),
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
        return await self.perform(
            step, lambda: workflow.execute_local_activity_method(ScanActivities.scan, request, **SCAN)
        )

    async def scan_code(self, request: CodeScanRequest) -> CodeScanReport:
        """Scan the code of the output."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_activity_method(
                CodeScanActivities.scan_code, request, summary="scan the code", **SCAN_CODE
            ),
        )

    async def scan_files(self, request: FilesScanRequest) -> CodeScanReport:
        """Scan what the row's program left."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_activity_method(
                FileScanActivities.scan_files, request, summary="scan the files", **SCAN_CODE
            ),
        )

    async def release(self, request: ReleaseRequest) -> ReleaseDecision:
        """Ask the policy whether the output may leave."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_local_activity_method(PolicyActivities.release, request, **QUICK_CHECK),
        )

    async def execute(self, request: SandboxRequest, tool: str = "", agent: Agent | None = None) -> SandboxResult:
        """Run the row's code in the sandbox, or a tool's, in the turn of an agent where one is defined."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_activity_method(
                SandboxActivities.execute, request, summary=f"run {tool or request.language}", **SANDBOXED
            ),
            agent,
        )

    async def check_tool(self, row: CatalogRow, call: ToolCall, calls: int, agent: Agent | None = None) -> ToolCheck:
        """Ask whether a call is carried out."""
        step = self._ref("tool-policy")
        request = ToolCheckRequest(
            step=step,
            tools=row.tools_of(agent),
            name=call.name,
            arguments=call.arguments,
            calls=calls,
            risk=row.risk.value,
            labels=row.labels,
            submitter=self._request.submitter,
            policy=self._request.options.policy,
            agent=agent.name if agent else "",
        )
        return await self.perform(
            step, lambda: workflow.execute_local_activity_method(ToolActivities.check, request, **QUICK_CHECK), agent
        )

    async def run_tool(self, row: CatalogRow, check: ToolCheck, key: str, agent: Agent | None = None) -> SandboxResult:
        """Carry out a call, whose result is kept under a key."""
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
            key=key,
        )
        return await self.execute(request, check.name, agent)

    async def seal(self, request: SealRequest) -> Seal:
        """Sign how the output came to be."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_local_activity_method(ProvenanceActivities.seal, request, **QUICK_CHECK),
        )

    async def notify(self, notification: Notification) -> Delivery:
        """Tell people."""
        return await self.perform(
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

    def _asked_group(self, row: CatalogRow, agent: Agent | None) -> str:
        """Return whom a call asks: the row's model, else the agent's, else whom the routing chose."""
        if agent and agent.model and row.model in {"", AUTO}:
            return agent.model
        return self.group or row.model

    def _longest(self, agent: Agent | None) -> int:
        limit = self._request.options.max_tokens
        return min(limit, agent.limits.max_tokens or limit) if agent else limit
