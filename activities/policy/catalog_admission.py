"""Letting the policy decide on a whole catalog before anything of it starts, and telling the audit log what it said."""

import hashlib
from collections.abc import Awaitable, Callable

from activities.artifacts.contracts import Digest
from activities.audit.canonical import canonical, facts
from activities.audit.contracts import POLICY, AuditEvent, AuditKind
from activities.policy.contracts import CatalogDecision, CatalogDenied
from activities.policy.engine import PolicyEngine
from catalogs.compiler import CompiledCatalog

Tell = Callable[[AuditEvent], Awaitable[None]]


async def admit_catalog(
    policy: PolicyEngine, tell: Tell, run: str, compiled: CompiledCatalog, submitter: str, pinned: Digest | None
) -> None:
    """Let the policy decide on the whole catalog; what it decided is in the audit log before anything starts.

    Raises:
        CatalogDenied: It may not start.
        PolicyUnavailable: The policy could not be asked.
    """
    decision = await policy.admit_catalog(compiled.totals, submitter, pinned)
    await tell(_decided(run, compiled, decision, submitter))
    if not decision.allow:
        raise CatalogDenied(
            f"the policy does not let this catalog run: {'; '.join(decision.deny) or 'it gives no reason'}",
            deny=list(decision.deny),
            policy=decision.policy,
        )


def _decided(run: str, compiled: CompiledCatalog, decision: CatalogDecision, submitter: str) -> AuditEvent:
    """Return the event of what the policy decided on a whole catalog.

    A submission that is sent again gets the same decision under the same key, so it is told once.
    """
    detail = {
        **decision.model_dump(mode="json"),
        "submitter": submitter,
        "plan": compiled.digest,
        "totals": compiled.totals.model_dump(mode="json", exclude={"boards"}),
        "boards": len(compiled.totals.boards),
    }
    decided = hashlib.sha256(canonical(facts(detail)).encode()).hexdigest()[:16]
    return AuditEvent(
        kind=AuditKind.POLICY_DECIDED,
        actor=POLICY,
        subject=f"run/{run}",
        detail=detail,
        key=f"{run}/catalog/policy/{decided}",
    )
