"""Admission of rows, and release of their outputs."""

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.experiments.contracts import Placing
from activities.plans.contracts import PlanReader
from activities.policy.contracts import Admission, AdmissionRequest, ModelLocality
from activities.policy.engine import PolicyEngine
from activities.policy.release_contracts import ReleaseDecision, ReleaseRequest
from activities.reviews.contracts import ApprovalPlanner
from temporal.names import ActivityName


class PolicyActivities:
    """Decides on a row by the digest of its plan, and on what it brought forth.

    Args:
        engine: Evaluates the policy.
        plans: Where rows are read from.
        approvals: Knows which rows a person must approve besides.
        texts: Reads outputs.
        models: Knows which models are local, and whether rows are routed.
        placing: Gives rows the variants of experiments.
    """

    def __init__(
        self,
        engine: PolicyEngine,
        plans: PlanReader,
        approvals: ApprovalPlanner,
        texts: Texts,
        models: ModelLocality,
        placing: Placing,
    ) -> None:
        self._engine = engine
        self._plans = plans
        self._approvals = approvals
        self._texts = texts
        self._models = models
        self._placing = placing

    @activity.defn(name=ActivityName.ADMIT)
    async def admit(self, request: AdmissionRequest) -> Admission:
        """Return the row, as its experiment has it run if it takes part in one, and whether it may run so."""
        placed = await self._placing.place((await self._plans.row(request.plan, request.index)).row, request.step.run)
        row = placed.row
        local = self._models.serves_locally(row.model)
        decision = await self._engine.admit(row, request.submitter, request.policy, served_locally=local)
        return Admission(
            row=row,
            decision=decision,
            approval=self._approvals.reasons(row),
            routed=self._models.routes,
            trial=placed.trial,
            origin=(await self._plans.plan(request.plan)).origin(request.index),
        )

    @activity.defn(name=ActivityName.RELEASE)
    async def release(self, request: ReleaseRequest) -> ReleaseDecision:
        """Return whether an output may leave."""
        return await self._engine.release(request, await self._texts.read(request.output))
