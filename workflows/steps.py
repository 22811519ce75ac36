"""The steps of a row: each calls one activity under its timeouts and keeps a record of what it did."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text, digest_of
    from activities.knowledge.activity import KnowledgeActivities
    from activities.knowledge.contracts import Retrieved, RetrieveRequest
    from activities.llm.activity import ModelActivities
    from activities.llm.contracts import Judgement, JudgeRequest, ModelAnswer, ModelRequest
    from activities.notifications.activity import NotificationActivities
    from activities.notifications.contracts import Delivery, Notification
    from activities.policy.activity import PolicyActivities
    from activities.policy.contracts import Admission, AdmissionRequest
    from activities.policy.release_contracts import ReleaseDecision, ReleaseRequest
    from activities.prompts.activity import PromptActivities
    from activities.prompts.contracts import ComposeRequest, NamedText, Prompt, Turn
    from activities.provenance.activity import ProvenanceActivities
    from activities.provenance.contracts import Seal, SealRequest
    from activities.records.activity import RecordActivities
    from activities.records.contracts import RowRecord, StepRecord, StepState
    from activities.reviews.activity import ReviewActivities
    from activities.reviews.contracts import AnswersRequest, ReviewOpening, ReviewRecord, ReviewTerms
    from activities.sandbox.activity import SandboxActivities
    from activities.sandbox.contracts import SandboxRequest, SandboxResult
    from activities.scans.activity import CodeScanActivities, ScanActivities
    from activities.scans.contracts import CodeScanReport, CodeScanRequest, ScanReport, ScanRequest
    from activities.verification.activity import VerificationActivities
    from activities.verification.contracts import Verification, VerificationRequest
    from catalogs.row import CatalogRow
    from catalogs.team import Agent
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.contracts import RowRun
    from workflows.summaries import summarise
    from workflows.timeouts import QUICK_CHECK, SANDBOXED, SCAN, SCAN_CODE, paid_call

Result = TypeVar("Result")

# A generation is a fresh set of paid calls; within one, every call keeps its ordinal and so its key.
CALLS_PER_GENERATION = 1000
# Every execution of a row says these anew; only its own repetitions are silent.
# What a row is at while a budget holds it up.
BUDGET = "budget"
TOLD_ANEW = frozenset({"notify", "review", "reminder", "escalation"})


def now() -> str:
    """Return the workflow's time as ISO 8601 UTC with microseconds."""
    return workflow.now().isoformat(timespec="microseconds").replace("+00:00", "Z")


class RowSteps:
    """Performs a row's steps one by one.

    Args:
        request: The row workflow's input.
    """

    def __init__(self, request: RowRun) -> None:
        self._request = request
        self._asked: dict[str, int] = {}
        self._freed: set[int] = set()
        self._context = ""
        self.passages: tuple[NamedText, ...] = ()
        self.records: list[StepRecord] = []
        self.current = ""

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
            row=row.model_copy(update={"team": ()}) if row.team else row,
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

    async def complete(
        self, row: CatalogRow, prompt: Prompt, agent: Agent | None = None, step: StepRef | None = None
    ) -> ModelAnswer:
        """Ask the model, in the turn of an agent where one is defined."""
        step = step or self._ref("model", paid=True)
        group = row.model or (agent.model if agent else "")
        timeout = min(row.timeout, agent.limits.timeout or row.timeout) if agent else row.timeout
        request = ModelRequest(
            step=step,
            group=group,
            system=prompt.system,
            prompt=prompt.text,
            max_tokens=self._longest(agent),
            timeout=timeout,
            attempts=row.retries + 1,
        )
        options = paid_call(timeout, row.retries)
        who = f"{agent.name}: " if agent else ""
        return await self._paid(
            step,
            lambda: workflow.execute_activity_method(
                ModelActivities.complete,
                request,
                summary=f"{who}ask {group or 'the default model'}",
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

    async def judge(self, row: CatalogRow, criteria: tuple[str, ...], answer: ModelAnswer) -> Judgement:
        """Have the judging model look at the criteria that code cannot check."""
        step = self._ref("judge", paid=True)
        request = JudgeRequest(
            step=step,
            group=self._request.options.judge_group,
            objective=row.objective,
            criteria=criteria,
            output=answer.output,
            timeout=row.timeout,
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

    async def release(self, request: ReleaseRequest) -> ReleaseDecision:
        """Ask the policy whether the output may leave."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_local_activity_method(PolicyActivities.release, request, **QUICK_CHECK),
        )

    async def execute(self, request: SandboxRequest) -> SandboxResult:
        """Run the row's code in the sandbox."""
        return await self.perform(
            request.step,
            lambda: workflow.execute_activity_method(
                SandboxActivities.execute, request, summary=f"run {request.language}", **SANDBOXED
            ),
        )

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

    def ref(self, step: str, *, paid: bool = False) -> StepRef:
        """Return the reference of the next performance of a step."""
        return self._ref(step, paid=paid)

    @property
    def upstream(self) -> tuple[NamedText, ...]:
        """Outputs of the rows that this one depends on."""
        return self._request.upstream

    def sees(self, row: CatalogRow, passages: tuple[NamedText, ...]) -> None:
        """Have the prompts from now on hold these passages, and the run's notes where the row has agents."""
        self.passages = passages
        held = (*passages, *(self._request.notes if row.team else ()))
        self._context = digest_of("".join(one.text.digest for one in held).encode())[-16:] if held else ""

    def _longest(self, agent: Agent | None) -> int:
        limit = self._request.options.max_tokens
        return min(limit, agent.limits.max_tokens or limit) if agent else limit

    def note(self, step: str, ordinal: int, summary: str, started_at: str, detail: dict[str, Any]) -> None:
        """Keep a record of a step that is not an activity, such as a round of a person's review."""
        self.records.append(
            StepRecord(
                step=step, ordinal=ordinal, started_at=started_at, finished_at=now(), summary=summary, detail=detail
            )
        )

    def _ref(self, step: str, *, paid: bool = False) -> StepRef:
        ordinal = self._asked.get(step, 0)
        self._asked[step] = ordinal + 1
        if paid:
            ordinal += self._request.generation * CALLS_PER_GENERATION
        elif step in TOLD_ANEW:
            ordinal += (self._request.attempt - 1) * CALLS_PER_GENERATION
        return StepRef(
            run=self._request.run,
            row=self._request.row,
            step=step,
            ordinal=ordinal,
            attempt=self._request.attempt,
            context=self._context if paid else "",
        )

    def free(self, stop: int) -> None:
        """Let a call go on that a budget stopped."""
        self._freed.add(stop)

    async def _paid(self, step: StepRef, call: Callable[[], Awaitable[Result]], agent: Agent | None = None) -> Result:
        """Perform a step that costs money; where a budget is spent, wait for as long as it takes to get more."""
        while True:
            try:
                return await self.perform(step, call, agent)
            except ActivityError as error:
                stop = _stop(error)
                if stop is None:
                    raise
            self.current = BUDGET
            await self._until_freed(step, stop)

    async def _until_freed(self, step: StepRef, stop: int) -> None:
        # Agents take turns side by side: the newest record may be of another's.
        refused = next(one for one in reversed(self.records) if (one.step, one.ordinal) == (step.step, step.ordinal))
        self.records.remove(refused)
        await workflow.wait_condition(lambda: stop in self._freed)
        waited = {"step": BUDGET, "ordinal": stop, "state": StepState.DONE, "finished_at": now()}
        self.records.append(refused.model_copy(update=waited))

    async def perform(self, step: StepRef, call: Callable[[], Awaitable[Result]], agent: Agent | None = None) -> Result:
        """Call an activity and keep a record of what came of it, under the agent's name where it was one's turn."""
        self.current = step.step
        started_at = now()
        try:
            result = await call()
        except ActivityError as error:
            self._keep(step, StepState.FAILED, started_at, _reason(error), {"agent": agent.label} if agent else {})
            raise
        summary, detail = summarise(result)
        if agent:
            summary, detail = f"{agent.name}: {summary}", detail | {"agent": agent.label, "definition": agent.digest}
        self._keep(step, StepState.DONE, started_at, summary, detail)
        return result

    def _keep(self, step: StepRef, state: StepState, started_at: str, summary: str, detail: dict[str, Any]) -> None:
        self.records.append(
            StepRecord(
                step=step.step,
                ordinal=step.ordinal,
                state=state,
                started_at=started_at,
                finished_at=now(),
                summary=summary,
                detail=detail,
            )
        )


def _stop(error: ActivityError) -> int | None:
    """Return the number of the stop where a budget refused a call; ``None`` where it failed otherwise."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == ErrorCode.BUDGET_SPENT and cause.details:
        return int(cause.details[0]["stop"])
    return None


def _reason(error: ActivityError) -> str:
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
