"""Permission to run a program: may it, and what may it use."""

from typing import Any, Final

from pydantic import Field, ValidationError

from activities.artifacts.contracts import Digest
from activities.policy.contracts import PolicyUnavailable, reasons_of
from activities.sandbox.contracts import Limits, SandboxRequest
from temporal.contract import Contract

PERMISSION: Final = "sandbox.decision"


class Permission(Contract):
    """What the policy said of a program.

    Args:
        deny: Reasons against running it; none means allowed.
        limits: The most that it may use, by the fields of ``Limits``; what is not named is as asked.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    limits: dict[str, float] = Field(default_factory=dict)
    policy: Digest
    decision_id: str = ""

    def lowered(self, asked: Limits) -> Limits:
        """Return what was asked for, but nothing above what the policy lets it use."""
        known = asked.model_dump()
        lower = {name: min(known[name], type(known[name])(most)) for name, most in self.limits.items()}
        return Limits.model_validate(known | lower)


def permission_input(request: SandboxRequest) -> dict[str, Any]:
    """Return what the policy of the sandbox is asked; the program itself is none of its business."""
    return {
        "program": {
            "language": request.language.value,
            "author": "model" if request.extract else "catalog",
            "size": request.code.size,
            "secrets": sorted(request.secrets.values()),
        },
        "row": {"id": request.step.row, "run": request.step.run, "risk": request.risk, "labels": request.labels},
        "limits": request.limits.model_dump(mode="json"),
    }


def permission_of(value: Any, policy: str, decision_id: str = "") -> Permission:  # noqa: ANN401 -- a Rego value
    """Return the permission that a policy's answer means; what is not proven is denied.

    Args:
        value: The answer.
        policy: Digest of the policy that gave it.
        decision_id: By which its engine knows it.

    Raises:
        PolicyUnavailable: The answer is no decision.
    """
    try:
        deny, limits = reasons_of(value["deny"]), value["limits"]
        if unknown := set(limits) - set(Limits.model_fields):
            raise PolicyUnavailable(f"the policy of the sandbox limits what is not known: {', '.join(sorted(unknown))}")
        allow = value["allow"] is True and not deny
        permission = Permission(allow=allow, deny=deny, limits=limits, policy=policy, decision_id=decision_id)
        permission.lowered(Limits())
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise PolicyUnavailable(f"the policy of the sandbox gave no decision: {type(error).__name__}") from error
    return permission
