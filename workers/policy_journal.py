"""The part of the composition root that tells the audit log of policies; apart, for only servers keep one."""

from contextlib import AsyncExitStack
from typing import Final

from sqlalchemy import Engine

from activities.policy.access import EmbeddedAccessPolicy
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.journal import EngineSource, FolderSource, PolicyJournal
from workers.policy import open_policy, policy_folder
from workers.settings import Settings

# How often a server is asked which policies it has: each question is an entry of its own log.
SERVER_SECONDS: Final = 30.0


async def open_journal(settings: Settings, engine: Engine, stack: AsyncExitStack) -> PolicyJournal:
    """Return what tells the audit log which policies are in force.

    Raises:
        InvalidPolicyServer: The server's address cannot be used.
        PolicyUnavailable: The policies do not compile.
    """
    folder = policy_folder(settings)
    access = FolderSource("authz", EmbeddedAccessPolicy(folder).live, str(folder))
    policy = await open_policy(settings, stack)
    if isinstance(policy, EmbeddedPolicy):
        return PolicyJournal(engine, [FolderSource("admission", policy.live, str(folder)), access])
    return PolicyJournal(engine, [EngineSource("admission", policy, settings.opa_url), access], SERVER_SECONDS)
