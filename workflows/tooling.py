"""The tools that a row's model calls: each call is asked about, carried out in the sandbox, and told to the model."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.llm.contracts import ModelAnswer, ToolCall, ToolResult, Turn
    from activities.provenance.contracts import CustodyAct
    from activities.sandbox.contracts import ExitReason
    from activities.tools.contracts import CallOutcome, ToolCheck
    from catalogs.row import CatalogRow
    from temporal.names import ErrorCode
    from workflows.custody import called
    from workflows.performing import now
    from workflows.steps import RowSteps

MOST_ERROR_CHARS = 2000


class RowTools:
    """Carries out what a model wants to be called while it writes one text.

    Args:
        steps: The row's steps.
        row: The row, whose tools may be called.

    Attributes:
        turns: The conversation so far, as references.
        looked_at: Why the policy wants a person to look at the output.
    """

    def __init__(self, steps: RowSteps, row: CatalogRow) -> None:
        self._steps = steps
        self._row = row
        self._calls = 0
        self.turns: tuple[Turn, ...] = ()
        self.looked_at: tuple[str, ...] = ()

    async def carry_out(self, answer: ModelAnswer) -> tuple[CustodyAct, ...]:
        """Carry out the calls that an answer wants, one after the other; return what was done."""
        acts: tuple[CustodyAct, ...] = ()
        results: tuple[ToolResult, ...] = ()
        for call in answer.calls:
            check, result = await self._called(call)
            acts += (called(answer.output, check, result),)
            results += (result.model_copy(update={"text": result.text.by_reference if result.text else None}),)
        calls = tuple(call.model_copy(update={"arguments": call.arguments.by_reference}) for call in answer.calls)
        self.turns += (Turn(said=answer.output.by_reference, calls=calls, results=results),)
        return acts

    async def _checked(self, call: ToolCall) -> ToolCheck:
        most = self._steps.options.tool_calls
        if self._calls < most:
            return await self._steps.check_tool(self._row, call, self._calls)
        told = f"the row may call tools {most} times"
        step = self._steps.ref("tool-policy")
        self._steps.note(step.step, step.ordinal, f"{call.name} denied: {told}", now(), {"name": call.name})
        return ToolCheck(name=call.name, outcome=CallOutcome.DENIED, reasons=(told,), arguments=call.arguments)

    async def _called(self, call: ToolCall) -> tuple[ToolCheck, ToolResult]:
        check = await self._checked(call)
        self._calls += 1
        if check.outcome is not CallOutcome.ALLOWED:
            told = f"{call.name} was not called: {'; '.join(check.reasons)}"
            return check, ToolResult(call=call.id, error=told[:MOST_ERROR_CHARS])
        self.looked_at += check.review
        try:
            result = await self._steps.run_tool(self._row, check)
        except ActivityError as error:
            if forbidden := _forbidden(error):
                denied = {"outcome": CallOutcome.DENIED, "reasons": (forbidden,)}
                return check.model_copy(update=denied), ToolResult(call=call.id, error=forbidden[:MOST_ERROR_CHARS])
            raise
        if result.reason is ExitReason.OK:
            return check, ToolResult(call=call.id, text=result.stdout)
        told = f"{call.name} ended with {result.reason.value}, exit code {result.exit_code}"
        return check, ToolResult(call=call.id, error=told, text=result.stderr)


def _forbidden(error: ActivityError) -> str:
    """Return why the policy of the sandbox does not let a tool run; empty where it failed otherwise."""
    cause = error.cause
    denied = isinstance(cause, ApplicationError) and cause.type == ErrorCode.POLICY_DENIED
    return str(cause.message) if denied and isinstance(cause, ApplicationError) else ""
