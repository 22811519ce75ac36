"""Planning: may rows that a row proposes join its run, and must a person look at them first."""

from typing import Any, Final

from activities.artifacts.contracts import Digest
from activities.policy.contracts import judgement_of
from catalogs.plan import Proposal
from catalogs.row import CatalogRow
from temporal.contract import Contract

PLANNING: Final = "planning.decision"


class PlanningDecision(Contract):
    """What the policy said of proposed rows.

    Args:
        deny: Reasons against adding them; none means allowed.
        review: Reasons why a person must approve them first; where the policy gives none, nobody has to.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest
    decision_id: str = ""


def planning_input(planner: CatalogRow, proposal: Proposal, submitter: str, depth: int) -> dict[str, Any]:
    """Return what the policy of planning is asked.

    Args:
        planner: The row that proposes.
        proposal: What it proposes.
        submitter: Who submitted the run.
        depth: How many rows planned each other on the way to the planner.
    """
    return {
        "row": planner.model_dump(mode="json"),
        "rows": [row.model_dump(mode="json") for row in proposal.rows],
        "submitter": submitter,
        "depth": depth,
    }


def planning_decision_of(value: Any, policy: str, decision_id: str = "") -> PlanningDecision:  # noqa: ANN401 -- Rego
    """Return the decision that a policy's answer means; what is not proven is denied.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    return judgement_of(PlanningDecision, value, policy, decision_id, "the policy of planning")
