"""Admission: may this catalog start, may this row run, and must a person look at it."""

from typing import Any, Final, Protocol, TypeVar

from pydantic import NonNegativeInt, ValidationError

from activities.artifacts.contracts import Digest
from activities.experiments.contracts import Trial
from catalogs.plan import Addition
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode

Judged = TypeVar("Judged", bound=Contract)

ADMISSION: Final = "admission.decision"
CATALOG_ADMISSION: Final = "catalog.decision"


class PolicyUnavailable(PrismError):
    """No decision could be reached; nothing is admitted."""

    code = ErrorCode.POLICY_UNAVAILABLE
    retryable = True


class PolicyChanged(PrismError):
    """The version of the policy that a run keeps to cannot answer any more; asking again cannot help."""

    code = ErrorCode.POLICY_CHANGED


class CatalogDenied(PrismError):
    """The policy does not let a catalog run; nothing of it was started."""

    code = ErrorCode.POLICY_DENIED


class InvalidPolicyServer(InvalidSettings):
    """The address of a policy server cannot be used."""


class AdmissionRequest(Contract):
    """Which row of which plan asks to run.

    Args:
        plan: Digest of the plan.
        index: The row's position in it.
        submitter: Who submitted the run.
        policy: Digest of the policy that the run keeps to; ``None`` follows the newest.
    """

    step: StepRef
    plan: Digest
    index: NonNegativeInt
    submitter: str = ""
    policy: Digest | None = None


class Decision(Contract):
    """What the policy said.

    Args:
        deny: Reasons against running; none means allowed.
        review: Reasons why a person must approve the output.
        policy: Digest of the policy bundle that decided.
        four_eyes: Whether the submitter may not be the one who approves.
        silence_approves: Whether a deadline that passes may approve, where the row asks for that.
        release: Whether the policy wants to be asked about the output before it leaves.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
        local_only: Whether nothing of the row may go to a model outside of the house.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest
    four_eyes: bool = False
    silence_approves: bool = False
    release: bool = False
    decision_id: str = ""
    local_only: bool = False


class CatalogDecision(Contract):
    """What the policy said of a catalog as a whole.

    Args:
        deny: Reasons against starting it; none means allowed.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    policy: Digest
    decision_id: str = ""


class Admission(Contract):
    """The row as it is to run, and the decision on it.

    Args:
        row: As the plan holds it, or as the variant has it that an experiment gave it.
        approval: Why the approval rules want a person to approve the output.
        routed: Whether a step of its own chooses who writes the row.
        origin: With what it was added to the plan, if another row has planned it.
        trial: Which variant of which experiment it runs as, if it takes part in one.
    """

    row: CatalogRow
    decision: Decision
    approval: tuple[str, ...] = ()
    routed: bool = False
    origin: Addition | None = None
    trial: Trial | None = None


class ModelLocality(Protocol):
    """Knows the installation's models as far as admission has to."""

    @property
    def routes(self) -> bool:
        """Whether rows' models are chosen by the routing."""
        ...

    def serves_locally(self, name: str) -> bool:
        """Tell whether a local deployment may answer for a row's ``model``."""
        ...


class AccessDecision(Contract):
    """Whether a principal may do an action, and why not."""

    allow: bool
    reason: str = ""


def admission_input(row: CatalogRow, submitter: str, *, served_locally: bool = False) -> dict[str, Any]:
    """Return what the admission policy is asked.

    Args:
        row: The row.
        submitter: Who submitted its run.
        served_locally: Whether a local model may answer for what the row names as ``model``.
    """
    return {"row": row.model_dump(mode="json"), "submitter": submitter, "model": {"local": served_locally}}


def catalog_input(totals: CatalogTotals, submitter: str) -> dict[str, Any]:
    """Return what the policy of catalogs is asked."""
    return {"catalog": totals.model_dump(mode="json"), "submitter": submitter}


def judgement_of(
    made: type[Judged],
    value: Any,  # noqa: ANN401 -- a Rego value
    policy: str,
    decision_id: str,
    whose: str,
) -> Judged:
    """Return what an answer of allow, deny and review means; what is not proven is denied.

    Args:
        made: The decision to be returned.
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.
        whose: Which policy it is, for whoever reads that it gave none.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    try:
        deny, review = reasons_of(value["deny"]), reasons_of(value["review"])
        allow = value["allow"] is True and not deny
        return made(allow=allow, deny=deny, review=review, policy=policy, decision_id=decision_id)
    except (KeyError, TypeError, ValidationError) as error:
        raise PolicyUnavailable(f"{whose} gave no decision: {type(error).__name__}") from error


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
            # A bundle of before outputs were judged says nothing of it, and has no rule for it.
            release=value.get("release", False) is not False,
            decision_id=decision_id,
            # Nor of what stays in the house: it knew models by name only.
            local_only=value.get("local_only", False) is not False,
        )
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise PolicyUnavailable(f"the admission policy gave no decision: {type(error).__name__}") from error


def catalog_decision_of(value: Any, policy: str, decision_id: str = "") -> CatalogDecision:  # noqa: ANN401 -- likewise
    """Return the decision on a catalog that a policy's answer means; what is not proven is denied.

    Args:
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    try:
        deny = reasons_of(value["deny"])
        allow = value["allow"] is True and not deny
        return CatalogDecision(allow=allow, deny=deny, policy=policy, decision_id=decision_id)
    except (KeyError, TypeError, ValidationError) as error:
        raise PolicyUnavailable(f"the policy of catalogs gave no decision: {type(error).__name__}") from error


def reasons_of(value: Any) -> tuple[str, ...]:  # noqa: ANN401 -- likewise
    """Return the reasons of a policy's answer in a fixed order.

    Raises:
        TypeError: They are no list.
    """
    if not isinstance(value, list):  # an empty table is not the same as no reason
        raise TypeError
    return tuple(sorted(value))
