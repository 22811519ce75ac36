"""Permission to call a tool: may the model have it run, and must a person see what came of it."""

from typing import Any, Final

from pydantic import ValidationError

from activities.policy.contracts import PolicyUnavailable, reasons_of
from activities.tools.contracts import ToolPermission, ToolUse

TOOL: Final = "tools.decision"


def tool_input(use: ToolUse) -> dict[str, Any]:
    """Return what the policy of tools is asked."""
    request = use.request
    return {
        "tool": {
            "name": request.name,
            "language": use.language.value,
            "definition": request.tools[request.name],
        },
        "arguments": use.arguments,
        "calls": request.calls,
        "row": {"id": request.step.row, "run": request.step.run, "risk": request.risk, "labels": request.labels},
        "submitter": request.submitter,
    }


def tool_permission_of(value: Any, policy: str, decision_id: str = "") -> ToolPermission:  # noqa: ANN401 -- a Rego value
    """Return the permission that a policy's answer means; what is not proven is denied.

    Args:
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    try:
        deny, review = reasons_of(value["deny"]), reasons_of(value["review"])
        allow = value["allow"] is True and not deny
        return ToolPermission(allow=allow, deny=deny, review=review, policy=policy, decision_id=decision_id)
    except (KeyError, TypeError, ValidationError) as error:
        raise PolicyUnavailable(f"the policy of tools gave no decision: {type(error).__name__}") from error
