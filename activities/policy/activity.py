"""Admission of rows."""

from temporalio import activity

from activities.plans.contracts import PlanReader
from activities.policy.contracts import Admission, AdmissionRequest, PolicyEngine
from temporal.names import ActivityName


class PolicyActivities:
    """Loads a row by the digest of its plan and decides on it."""

    def __init__(self, engine: PolicyEngine, plans: PlanReader) -> None:
        self._engine = engine
        self._plans = plans

    @activity.defn(name=ActivityName.ADMIT)
    async def admit(self, request: AdmissionRequest) -> Admission:
        """Return the row as planned, and whether it may run."""
        row = (await self._plans.row(request.plan, request.index)).row
        return Admission(row=row, decision=await self._engine.admit(row, request.submitter))
