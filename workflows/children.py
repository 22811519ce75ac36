"""How a run starts the workflow of a row."""

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy

with workflow.unsafe.imports_passed_through():
    from activities.plans.contracts import RowHead
    from activities.records.contracts import RowState
    from temporal import search_attributes
    from temporal.contract import row_workflow_id
    from workflows.contracts import ROW_REVISION, CatalogRun, RowResult, RowRun
    from workflows.row import RowWorkflow
    from workflows.schedule import Schedule

RowHandle = workflow.ChildWorkflowHandle[RowWorkflow, RowResult]


async def start_row(request: CatalogRun, schedule: Schedule, head: RowHead) -> RowHandle:
    """Start a row's workflow.

    Raises:
        WorkflowAlreadyStartedError: The row is under way or has succeeded, started by another hand or by
            an earlier execution of its run.
    """
    return await workflow.start_child_workflow(
        RowWorkflow.run,
        RowRun(
            run=request.run,
            plan=request.plan,
            grown=request.grown,
            index=head.index,
            row=head.id,
            submitter=request.submitter,
            attempt=schedule.attempt(head.index),
            generation=schedule.generation(head.index),
            upstream=schedule.upstream(head),
            notes=schedule.notes,
            options=request.options,
            revision=ROW_REVISION,
        ),
        id=row_workflow_id(request.run, head.id),
        # A row that succeeded does not run again, whoever ran it.
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        # The run may continue as new while a person still thinks about the row.
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        # Among rows of one priority every run has its turn, however many rows another has; a row's calls inherit it.
        priority=Priority(priority_key=head.priority, fairness_key=request.run),
        memo={"title": head.title},
        static_summary=head.title or head.id,
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search_attributes.RUN, request.run),
                SearchAttributePair(search_attributes.ROW, head.id),
                SearchAttributePair(search_attributes.BOARD, head.board),
                SearchAttributePair(search_attributes.STATUS, RowState.RUNNING.value),
            ]
        ),
    )
