"""TrainingDataWorkflow: what the schedule of training data starts each day."""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.feedback.activity import Collected, CollectRequest, TrainingDataActivities
    from temporal.names import WorkflowName

COLLECTION: Final[dict[str, Any]] = {
    # Every pair is three texts of the artifact store.
    "start_to_close_timeout": timedelta(minutes=30),
    # What fails is the store or the database; the next day begins anew.
    "schedule_to_close_timeout": timedelta(hours=12),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10)),
}


@workflow.defn(name=WorkflowName.TRAINING_DATA)
class TrainingDataWorkflow:
    """Makes a data set of preference pairs when enough new ones are there. It trains nothing."""

    @workflow.run
    async def run(self, request: CollectRequest) -> Collected:
        """Look once."""
        return await workflow.execute_activity_method(
            TrainingDataActivities.collect, request, summary="preference pairs", **COLLECTION
        )
