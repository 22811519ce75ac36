"""The part of the composition root that names the backends of policy."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import PolicyEngine
from workers.settings import Settings

POLICIES: Final = Path(__file__).parents[1] / "policies"


async def open_policy(settings: Settings, stack: AsyncExitStack) -> PolicyEngine:
    """Return what decides which rows may run, its connections owned by the stack.

    Raises:
        InvalidPolicyServer: The server's address cannot be used.
        PolicyUnavailable: The policies that ship do not compile.
    """
    if not settings.opa_url:
        return EmbeddedPolicy(POLICIES)
    # The server's client is loaded by who has a server.
    from activities.policy.server import PolicyServer, open_opa_server  # noqa: PLC0415 -- see above

    server = PolicyServer(settings.opa_url, settings.opa_token, settings.opa_timeout_seconds)
    return await stack.enter_async_context(open_opa_server(server))
