"""Admission: may this row run, and must a person look at it."""

from typing import Any, Final, Protocol

from pydantic import NonNegativeInt, ValidationError

from activities.artifacts.contracts import Digest
from catalogs.row import CatalogRow
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode

ADMISSION: Final = "admission.decision"


class PolicyUnavailable(PrismError):
    """No decision could be reached; nothing is admitted."""

    code = ErrorCode.POLICY_UNAVAILABLE
    retryable = True


class InvalidPolicyServer(PrismError):
    """The address of a policy server cannot be used."""

    code = ErrorCode.INVALID_SETTINGS


class AdmissionRequest(Contract):
    """Which row of which plan asks to run.

    Args:
        plan: Digest of the plan.
        index: The row's position in it.
        submitter: Who submitted the run.
    """

    step: StepRef
    plan: Digest
    index: NonNegativeInt
    submitter: str = ""


class Decision(Contract):
    """What the policy said.

    Args:
        deny: Reasons against running; none means allowed.
        review: Reasons why a person must approve the output.
        policy: Digest of the policy bundle that decided.
        four_eyes: Whether the submitter may not be the one who approves.
        silence_approves: Whether a deadline that passes may approve, where the row asks for that.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest
    four_eyes: bool = False
    silence_approves: bool = False
    decision_id: str = ""


class Admission(Contract):
    """The row as the plan holds it, and the decision on it.

    Args:
        approval: Why the approval rules want a person to approve the output.
    """

    row: CatalogRow
    decision: Decision
    approval: tuple[str, ...] = ()


class AccessDecision(Contract):
    """Whether a principal may do an action, and why not."""

    allow: bool
    reason: str = ""


class PolicyEngine(Protocol):
    """Evaluates the admission policy. Not proven means denied."""

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row.

        Raises:
            PolicyUnavailable: The engine failed or answered nonsense.
        """
        ...


def admission_input(row: CatalogRow, submitter: str) -> dict[str, Any]:
    """Return what the admission policy is asked."""
    return {"row": row.model_dump(mode="json"), "submitter": submitter}


def decision_of(value: Any, policy: str, decision_id: str = "") -> Decision:  # noqa: ANN401 -- a Rego value
    """Return the decision that a policy's answer means; what is not proven is denied.

    Args:
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    try:
        deny, review = tuple(sorted(value["deny"])), tuple(sorted(value["review"]))
        return Decision(
            allow=value["allow"] is True and not deny,
            deny=deny,
            review=review,
            policy=policy,
            four_eyes=value.get("four_eyes") is not False,
            silence_approves=value.get("silence_approves") is True,
            decision_id=decision_id,
        )
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise PolicyUnavailable(f"the admission policy gave no decision: {type(error).__name__}") from error
