"""Admission of rows."""

from temporalio import activity

from activities.plans.contracts import PlanReader
from activities.policy.contracts import Admission, AdmissionRequest, PolicyEngine
from activities.reviews.contracts import ApprovalPlanner
from temporal.names import ActivityName


class PolicyActivities:
    """Loads a row by the digest of its plan and decides on it.

    Args:
        engine: Evaluates the policy.
        plans: Where rows are read from.
        approvals: Knows which rows a person must approve besides.
    """

    def __init__(self, engine: PolicyEngine, plans: PlanReader, approvals: ApprovalPlanner) -> None:
        self._engine = engine
        self._plans = plans
        self._approvals = approvals

    @activity.defn(name=ActivityName.ADMIT)
    async def admit(self, request: AdmissionRequest) -> Admission:
        """Return the row as planned, and whether it may run."""
        row = (await self._plans.row(request.plan, request.index)).row
        decision = await self._engine.admit(row, request.submitter)
        return Admission(row=row, decision=decision, approval=self._approvals.reasons(row))
