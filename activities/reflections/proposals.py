"""Catalogs that have a prompt proposed: compiled like those that people submit, and admitted by the same policy."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence

from activities.artifacts.folder import FolderArtifactStore
from activities.policy.catalog_admission import Tell, admit_catalog
from activities.policy.contracts import CatalogDenied
from activities.policy.engine import PolicyEngine
from activities.reflections.contracts import Compiled, ProposalRefused, ReflectRequest
from catalogs.compiler import compile_catalog
from catalogs.evidence import Evidence
from catalogs.faults import InvalidCatalog
from catalogs.options import ReadOptions
from catalogs.reflection import reflection_catalog
from catalogs.team import Agent


class InstalledCatalogs:
    """Makes the catalogs of reflections.

    Args:
        options: Says how catalogs are read here, with the agents that are in use then.
        artifacts: Where plans are kept.
        policy: Decides whether they may start.
        tell: Tells the audit log of that.
    """

    def __init__(
        self,
        options: Callable[[], Awaitable[ReadOptions]],
        artifacts: FolderArtifactStore,
        policy: PolicyEngine,
        tell: Tell,
    ) -> None:
        self._options = options
        self._artifacts = artifacts
        self._policy = policy
        self._tell = tell

    async def agent(self, name: str) -> Agent | None:
        """Return an agent as it is in use now."""
        return ((await self._options()).agents or {}).get(name)

    async def compiled(
        self, request: ReflectRequest, agent: Agent, evidence: Sequence[Evidence], data_class: str
    ) -> Compiled:
        """Compile the catalog, and have the policy admit it.

        Raises:
            ProposalRefused: It may not run.
        """
        options = await self._options()
        source = io.BytesIO(reflection_catalog(agent, evidence, request.model, data_class))
        title = f"Reflection on {agent.name}"
        try:
            compiled = await asyncio.to_thread(compile_catalog, source, title, self._artifacts.write, options)
            await admit_catalog(self._policy, self._tell, request.reflection, compiled, request.by, request.policy)
        except InvalidCatalog as fault:
            raise ProposalRefused(f"what was found cannot be put before a model: {fault.message}") from fault
        except CatalogDenied as fault:
            raise ProposalRefused(fault.message) from fault
        plan = compiled.plan
        return Compiled(digest=compiled.digest, title=title, total=plan.total, page_rows=plan.page_rows)
