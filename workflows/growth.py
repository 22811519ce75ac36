"""A run takes in rows that one of its rows has planned."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.planning.activity import PlanningActivities
    from activities.planning.contracts import Grown, GrowRequest
    from activities.plans.contracts import RowHead
    from activities.prompts.contracts import NamedText
    from temporal.contract import row_workflow_id
    from workflows.contracts import CatalogRun, RowsOffer, RowsTaken
    from workflows.recording import RunRecording
    from workflows.row import RowWorkflow
    from workflows.schedule import Schedule
    from workflows.timeouts import PLANNING


async def take_in(request: CatalogRun, schedule: Schedule, recording: RunRecording, offer: RowsOffer) -> CatalogRun:
    """Add the rows of an offer to a run, answer whoever made it, and return the run's input as it is now.

    An offer that is made again is answered again, and adds nothing.
    """
    grown = await workflow.execute_activity_method(
        PlanningActivities.grow,
        GrowRequest(
            plan=request.current, index=offer.index, row=offer.row, output=offer.output, proposal=offer.proposal
        ),
        summary=f"add what {offer.row} planned",
        **PLANNING,
    )
    if grown.rows:
        await recording.grown(grown, offer)
        await _admit(schedule, recording, grown, offer)
        request = request.model_copy(update={"grown": grown.plan, "total": grown.total})
    row = workflow.get_external_workflow_handle(row_workflow_id(request.run, offer.row))
    try:
        await row.signal(RowWorkflow.rows_taken, RowsTaken(proposal=offer.proposal, refused=grown.refused))
    except FailureError:
        workflow.logger.warning("row %s has ended before it heard what became of its plan", offer.row)
    return request


async def _admit(schedule: Schedule, recording: RunRecording, grown: Grown, offer: RowsOffer) -> None:
    # First: an output that the new rows want is not let go while others are looked up.
    schedule.expect({one.index: one.by for one in grown.wanted})
    for one in grown.wanted:
        if schedule.let_go(one.index):
            ending = await recording.ending(RowHead(index=one.index, id=one.row))
            if ending.output is not None:
                schedule.recall(one.index, NamedText(name=one.row, text=ending.output, files=ending.files))
    schedule.grow(grown.total, offer.index)
