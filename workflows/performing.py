"""Performing a row's steps: the key of each, a record of what it did, and waiting where a budget is spent."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.records.contracts import StepRecord, StepState
    from catalogs.team import Agent
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.contracts import RowRun
    from workflows.summaries import summarise

Result = TypeVar("Result")

# A generation is a fresh set of paid calls; within one, every call keeps its ordinal and so its key.
CALLS_PER_GENERATION = 1000
# What a row is at while a budget holds it up.
BUDGET = "budget"
# Every execution of a row says these anew; only its own repetitions are silent.
TOLD_ANEW = frozenset({"notify", "review", "reminder", "escalation"})


def now() -> str:
    """Return the workflow's time as ISO 8601 UTC with microseconds."""
    return workflow.now().isoformat(timespec="microseconds").replace("+00:00", "Z")


class StepPerformer:
    """Performs steps one by one.

    Args:
        request: The row workflow's input.
    """

    def __init__(self, request: RowRun) -> None:
        self._request = request
        self._asked: dict[str, int] = {}
        self._within: dict[str, int] = {}
        self._freed: set[int] = set()
        # Of what prompts hold that another execution of the row may find changed: notes, passages.
        self.context = ""
        self.records: list[StepRecord] = []
        self.current = ""

    def ref(self, step: str, *, paid: bool = False) -> StepRef:
        """Return the reference of the next performance of a step."""
        return self._ref(step, paid=paid)

    def further(self, first: StepRef) -> StepRef:
        """Return the reference of a further call in the turn of an agent that began with this one.

        Turns go on side by side, and which is the next to ask is chance: the key counts within the turn.
        """
        calls = self._within[first.key] = self._within.get(first.key, 0) + 1
        return self._ref(first.step, paid=True).model_copy(update={"place": f"{first.ordinal}.{calls}"})

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
            context=self.context if paid else "",
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
        except (ActivityError, ApplicationError) as error:
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


def _reason(error: ActivityError | ApplicationError) -> str:
    # What a local activity raised comes as it is, without the error of the activity around it.
    cause = error.cause if isinstance(error, ActivityError) else error
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
