"""Permission to call a tool: may the model have it run, and must a person see what came of it."""

from typing import Any, Final

from activities.policy.contracts import judgement_of
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
        "agent": request.agent,
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
    return judgement_of(ToolPermission, value, policy, decision_id, "the policy of tools")
