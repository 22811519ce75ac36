"""The part of the composition root that names the backends of policy."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from activities.artifacts.contracts import ArtifactStore
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import PolicyEngine
from activities.policy.versions import PolicyVersions
from workers.settings import Settings

# The policies that ship.
POLICIES: Final = Path(__file__).parents[1] / "policies"


async def open_policy(
    settings: Settings, stack: AsyncExitStack, artifacts: ArtifactStore | None = None
) -> PolicyEngine:
    """Return what decides, its connections owned by the stack.

    Args:
        settings: Say who decides.
        stack: Owns the connections.
        artifacts: Where versions of the policies are kept; without it no run can be pinned to one.

    Raises:
        InvalidPolicyServer: The server's address cannot be used.
        PolicyUnavailable: The policies do not compile.
    """
    versions = PolicyVersions(artifacts) if artifacts else None
    if not settings.opa_url:
        return EmbeddedPolicy(policy_folder(settings), versions)
    # The server's client is loaded by who has a server.
    from activities.policy.server import KeptPolicies, PolicyServer, open_opa_server  # noqa: PLC0415 -- see above

    server = PolicyServer(settings.opa_url, settings.opa_token, settings.opa_timeout_seconds)
    kept = KeptPolicies(policy_folder(settings), versions) if versions else None
    return await stack.enter_async_context(open_opa_server(server, kept))


def policy_folder(settings: Settings) -> Path:
    """Return where the policies of an installation are."""
    return settings.policies or POLICIES
