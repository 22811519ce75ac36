"""DeliveryWorkflow: brings notifications out of the house, as long as there is an installation."""

from datetime import timedelta
from typing import Any, Final

from pydantic import NonNegativeInt
from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.notifications.contracts import DueReport, DueRequest
    from activities.notifications.delivery import DeliveryActivities
    from temporal.contract import Contract
    from temporal.names import TaskQueue, WorkflowName

# A new notification waits this long at most; an idle loop costs one activity each time.
LONGEST_PAUSE: Final = timedelta(seconds=30)

DELIVERY: Final[dict[str, Any]] = {
    "task_queue": TaskQueue.NOTIFICATIONS,
    # A round takes on messages for thirty seconds; the last may take ten more and the database its time.
    "start_to_close_timeout": timedelta(minutes=2),
    # It heartbeats every three seconds.
    "heartbeat_timeout": timedelta(seconds=15),
    # What receivers do wrong is in the report; what fails here is the database, for as long as it does.
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
}


class DeliveryLoop(Contract):
    """Where the loop stands; passes from execution to execution.

    Args:
        rounds: How many rounds there have been.
        delivered: How many messages reached their receivers.
        failed: How many were given up.
        retried: How many attempts have to be repeated.
    """

    rounds: NonNegativeInt = 0
    delivered: NonNegativeInt = 0
    failed: NonNegativeInt = 0
    retried: NonNegativeInt = 0

    def after(self, report: DueReport) -> "DeliveryLoop":
        """Return where it stands after one more round."""
        return DeliveryLoop(
            rounds=self.rounds + 1,
            delivered=self.delivered + report.delivered,
            failed=self.failed + report.failed,
            retried=self.retried + report.retried,
        )


def pause(report: DueReport) -> timedelta:
    """Return how long to wait after a round: until the next message is due, but never long."""
    if report.wait_seconds is None:
        return LONGEST_PAUSE
    return min(timedelta(seconds=report.wait_seconds), LONGEST_PAUSE)


@workflow.defn(name=WorkflowName.DELIVERY)
class DeliveryWorkflow:
    """Delivers what is due, waits for what is next, and begins again."""

    @workflow.init
    def __init__(self, loop: DeliveryLoop) -> None:
        self._loop = loop

    @workflow.run
    async def run(self, loop: DeliveryLoop) -> DeliveryLoop:  # noqa: ARG002 -- taken by __init__
        """Loop until somebody ends it."""
        while not workflow.info().is_continue_as_new_suggested():
            report = await workflow.execute_activity_method(DeliveryActivities.deliver_due, DueRequest(), **DELIVERY)
            self._loop = self._loop.after(report)
            if wait := pause(report):
                await workflow.sleep(wait, summary="until something is due")
        workflow.continue_as_new(self._loop)

    @workflow.query
    def progress(self) -> DeliveryLoop:
        """Return where the loop stands."""
        return self._loop
