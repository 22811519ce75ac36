"""Release: may an output leave its row, and must a person look at it first."""

from typing import Any, Final

from pydantic import NonNegativeFloat

from activities.artifacts.contracts import Digest, Text
from activities.artifacts.files import Snapshot
from activities.policy.contracts import judgement_of
from activities.scans.contracts import Finding
from catalogs.row import CatalogRow
from temporal.contract import Contract, StepRef

RELEASE: Final = "release.decision"


class ReleaseRequest(Contract):
    """An output that wants to leave, and what is known of it.

    Args:
        submitter: Who submitted the run.
        findings: What scans found in it.
        failures: Criteria that it failed.
        models: Deployments that had a part in it, in the order of the calls.
        cost_usd: What its calls cost.
        edited: Whether a person wrote the text as it stands.
        policy: Digest of the policy that the run keeps to; ``None`` follows the newest.
        files: What the row's program left; findings name the file that they are in.
    """

    step: StepRef
    row: CatalogRow
    submitter: str = ""
    output: Text
    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    cost_usd: NonNegativeFloat = 0.0
    edited: bool = False
    policy: Digest | None = None
    files: Snapshot | None = None


class ReleaseDecision(Contract):
    """What the policy said of an output.

    Args:
        deny: Reasons against its leaving; none means allowed.
        review: Reasons why a person must approve it first.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest
    decision_id: str = ""


def release_input(request: ReleaseRequest, text: str) -> dict[str, Any]:
    """Return what the release policy is asked.

    Args:
        request: What is known of the output.
        text: The output itself.
    """
    known = request.model_dump(mode="json", include={"findings", "failures", "models", "cost_usd", "edited"})
    if request.files is not None:
        known["files"] = request.files.model_dump(mode="json")
    return {
        "row": request.row.model_dump(mode="json"),
        "submitter": request.submitter,
        "output": {"text": text, "size": request.output.size, **known},
    }


def release_decision_of(value: Any, policy: str, decision_id: str = "") -> ReleaseDecision:  # noqa: ANN401 -- a Rego value
    """Return the decision that a policy's answer means; what is not proven is denied.

    Args:
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    return judgement_of(ReleaseDecision, value, policy, decision_id, "the release policy")
