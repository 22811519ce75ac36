"""SecretRotationWorkflow: what the schedule of rotation starts each day."""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.secrets.rotation import RotationActivities, RotationReport, RotationRequest
    from temporal.names import WorkflowName

ROTATION: Final[dict[str, Any]] = {
    # A server of secrets is asked a few times for each secret there is.
    "start_to_close_timeout": timedelta(minutes=5),
    # What fails is the store or the database; the next day begins anew.
    "schedule_to_close_timeout": timedelta(hours=12),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10)),
}


@workflow.defn(name=WorkflowName.ROTATION)
class SecretRotationWorkflow:
    """Looks after the ages of secrets once. Values are read and made within the activity only."""

    @workflow.run
    async def run(self, request: RotationRequest) -> RotationReport:
        """Replace what is Prism's own and due, and tell of the rest."""
        return await workflow.execute_activity_method(
            RotationActivities.rotate_due, request, summary="ages of secrets", **ROTATION
        )
