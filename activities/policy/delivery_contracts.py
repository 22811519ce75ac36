"""Delivery: may a message leave the house by a channel."""

from typing import Any, Final

from pydantic import ValidationError

from activities.artifacts.contracts import Digest
from activities.policy.contracts import PolicyUnavailable, reasons_of
from temporal.contract import Contract

DELIVERY: Final = "notifications.decision"


class DeliveryDecision(Contract):
    """What the policy said of a message.

    Args:
        deny: Reasons against sending it; none means allowed.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    policy: Digest
    decision_id: str = ""


def delivery_decision_of(value: Any, policy: str, decision_id: str = "") -> DeliveryDecision:  # noqa: ANN401 -- a Rego value
    """Return the decision on a message that a policy's answer means; what is not proven is denied.

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
        return DeliveryDecision(allow=allow, deny=deny, policy=policy, decision_id=decision_id)
    except (KeyError, TypeError, ValidationError) as error:
        raise PolicyUnavailable(f"the policy of notifications gave no decision: {type(error).__name__}") from error
