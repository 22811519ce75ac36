"""The tools that a row's model calls: each call is asked about, carried out in the sandbox, and told to the model."""

from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.llm.contracts import ModelAnswer, ToolCall, ToolResult, Turn
    from activities.provenance.contracts import CustodyAct
    from activities.sandbox.contracts import ExitReason
    from activities.tools.contracts import CallOutcome, ToolCheck
    from catalogs.row import CatalogRow
    from catalogs.team import Agent
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.custody import called
    from workflows.performing import now
    from workflows.steps import RowSteps

MOST_ERROR_CHARS = 2000


class Ask(Protocol):
    """Makes a paid call, and takes its answer down."""

    async def __call__(self, at: StepRef, *, turns: tuple[Turn, ...], closing: bool = False) -> ModelAnswer:
        """Return the answer."""
        ...


class Written(Protocol):
    """What is written with the help of tools.

    Attributes:
        custody: What was done to it.
        looked_at: Why the policy wants a person to look at it.
    """

    custody: tuple[CustodyAct, ...]
    looked_at: tuple[str, ...]


class RowTools:
    """Carries out what a model wants to be called while it writes one text.

    Args:
        steps: The row's steps.
        row: The row.
        draft: What is written; it is told of each call.
        agent: The agent whose turn it is, where one is defined.
    """

    def __init__(self, steps: RowSteps, row: CatalogRow, draft: Written, agent: Agent | None = None) -> None:
        self._steps = steps
        self._row = row
        self._draft = draft
        self._agent = agent
        self._calls = 0
        self._turns: tuple[Turn, ...] = ()

    async def converse(self, ask: Ask, step: StepRef | None = None) -> ModelAnswer:
        """Ask until the model answers, or has called tools as often as it may and has to.

        Args:
            ask: Asks the model.
            step: The first call, where it was numbered before.
        """
        at = first = step or self._steps.ref("model", paid=True)
        for _ in range(self._rounds):
            answer = await ask(at, turns=self._turns)
            if not answer.calls:
                return answer
            acts = await self._carry_out(answer, at)
            # Not in one statement: turns beside this one add theirs meanwhile.
            self._draft.custody += acts
            at = self._steps.further(first) if step else self._steps.ref("model", paid=True)
        return await ask(at, turns=self._turns, closing=True)

    @property
    def _rounds(self) -> int:
        """How often the model may call tools before it has to answer."""
        return _least(self._steps.options.tool_rounds, self._agent.limits.tool_rounds if self._agent else None)

    async def _carry_out(self, answer: ModelAnswer, step: StepRef) -> tuple[CustodyAct, ...]:
        """Carry out the calls that an answer wants, one after the other; return what was done."""
        acts: tuple[CustodyAct, ...] = ()
        results: tuple[ToolResult, ...] = ()
        for number, call in enumerate(answer.calls):
            check, result = await self._called(call, f"{step.key}/{number}")
            acts += (called(answer.output, check, result, self._agent),)
            results += (result.model_copy(update={"text": result.text.by_reference if result.text else None}),)
        calls = tuple(call.model_copy(update={"arguments": call.arguments.by_reference}) for call in answer.calls)
        self._turns += (Turn(said=answer.output.by_reference, calls=calls, results=results),)
        return acts

    async def _checked(self, call: ToolCall) -> ToolCheck:
        own = self._agent.limits.tool_calls if self._agent else None
        most = _least(self._steps.options.tool_calls, own)
        if self._calls < most:
            return await self._steps.check_tool(self._row, call, self._calls, self._agent)
        who = self._agent.name if self._agent and own == most else "the row"
        told = f"{who} may call tools {most} times"
        step = self._steps.ref("tool-policy")
        self._steps.note(step.step, step.ordinal, f"{call.name} denied: {told}", now(), {"name": call.name})
        return ToolCheck(name=call.name, outcome=CallOutcome.DENIED, reasons=(told,), arguments=call.arguments)

    async def _called(self, call: ToolCall, key: str) -> tuple[ToolCheck, ToolResult]:
        check = await self._checked(call)
        self._calls += 1
        if check.outcome is not CallOutcome.ALLOWED:
            told = f"{call.name} was not called: {'; '.join(check.reasons)}"
            return check, ToolResult(call=call.id, error=told[:MOST_ERROR_CHARS])
        self._draft.looked_at = tuple(dict.fromkeys(self._draft.looked_at + check.review))
        try:
            result = await self._steps.run_tool(self._row, check, key, self._agent)
        except ActivityError as error:
            if forbidden := _forbidden(error):
                denied = {"outcome": CallOutcome.DENIED, "reasons": (forbidden,)}
                return check.model_copy(update=denied), ToolResult(call=call.id, error=forbidden[:MOST_ERROR_CHARS])
            raise
        if result.reason is ExitReason.OK:
            return check, ToolResult(call=call.id, text=result.stdout)
        told = f"{call.name} ended with {result.reason.value}, exit code {result.exit_code}"
        return check, ToolResult(call=call.id, error=told, text=result.stderr)


def _least(of_run: int, of_agent: int | None) -> int:
    return of_run if of_agent is None else min(of_run, of_agent)


def _forbidden(error: ActivityError) -> str:
    """Return why the policy of the sandbox does not let a tool run; empty where it failed otherwise."""
    cause = error.cause
    denied = isinstance(cause, ApplicationError) and cause.type == ErrorCode.POLICY_DENIED
    return str(cause.message) if denied and isinstance(cause, ApplicationError) else ""
