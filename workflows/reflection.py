"""ReflectionWorkflow: feedback on an agent becomes a changed prompt, a person decides on it, and it is compared."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.records.contracts import RunState
    from activities.reflections.activity import ReflectionActivities
    from activities.reflections.contracts import Gathered, Reflection, SettleRequest, reflection_id
    from temporal import search_attributes
    from temporal.contract import run_workflow_id
    from temporal.names import WorkflowName
    from workflows.catalog import CatalogWorkflow
    from workflows.contracts import RUN_REVISION, CatalogRun, ReflectionResult, ReflectionRun
    from workflows.endings import despite_cancellation

GATHERING: Final[dict[str, Any]] = {
    # Some dozens of texts are read, and scanned for secrets.
    "start_to_close_timeout": timedelta(minutes=5),
    # What fails is the store, the database, the scanner or the policy: it goes on when they are back.
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
}


@workflow.defn(name=WorkflowName.REFLECTION)
class ReflectionWorkflow:
    """Gathers evidence, runs the row that proposes a prompt and has it reviewed, and acts on what was decided."""

    @workflow.run
    async def run(self, request: ReflectionRun) -> ReflectionResult:
        """Reflect once."""
        reflect = request.reflect
        if not reflect.reflection:
            identity = reflection_id(reflect.agent, workflow.uuid4().hex)
            reflect = reflect.model_copy(update={"reflection": identity})
            request = request.model_copy(update={"reflect": reflect})
        gathered: Gathered = await workflow.execute_activity_method(
            ReflectionActivities.gather, reflect, summary=f"evidence on {reflect.agent}", **GATHERING
        )
        if gathered.plan is None:
            return ReflectionResult(state=gathered.state, message=gathered.message)
        workflow.set_current_details(f"Proposed and reviewed as the row of run {reflect.reflection}")
        # Rejected, failed, cancelled or terminated: the records say which, and no prompt is changed.
        with contextlib.suppress(ChildWorkflowError, WorkflowAlreadyStartedError, asyncio.CancelledError):
            await self._propose(request, gathered)
        return await despite_cancellation(self._settle(request))

    async def _propose(self, request: ReflectionRun, gathered: Gathered) -> None:
        run = request.reflect.reflection
        assert gathered.plan is not None  # noqa: S101 -- there is something to reflect on
        await workflow.execute_child_workflow(
            CatalogWorkflow.run,
            CatalogRun(
                run=run,
                plan=gathered.plan,
                title=gathered.title,
                total=gathered.total,
                page_rows=gathered.page_rows,
                submitter=request.reflect.by,
                options=request.options.model_copy(update={"policy": request.reflect.policy}),
                revision=RUN_REVISION,
            ),
            id=run_workflow_id(run),
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            memo={"title": gathered.title},
            static_summary=gathered.title,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search_attributes.RUN, run),
                    SearchAttributePair(search_attributes.STATUS, RunState.RUNNING.value),
                ]
            ),
        )

    async def _settle(self, request: ReflectionRun) -> ReflectionResult:
        settled: Reflection = await workflow.execute_activity_method(
            ReflectionActivities.settle,
            SettleRequest(reflection=request.reflect.reflection),
            summary="what was decided",
            **GATHERING,
        )
        return ReflectionResult(
            state=settled.state, message=settled.message, version=settled.version.digest if settled.version else None
        )
