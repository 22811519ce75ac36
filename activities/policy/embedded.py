"""Decisions by the embedded policy engine."""

from pathlib import Path
from typing import Any

from activities.artifacts.contracts import Digest
from activities.policy.bundle import RegoBundle
from activities.policy.contracts import PolicyChanged
from activities.policy.engine import ENTRIES, Meaning, Meant, PolicyEngine
from activities.policy.folder import admission_only
from activities.policy.live import LivePolicies
from activities.policy.versions import PolicyVersions


class EmbeddedPolicy(PolicyEngine):
    """Evaluates the policies of a folder, and older versions of them where they were kept.

    Args:
        folder: Holds ``**/*.rego`` and, for package path ``a.b``, the data document ``a/b/data.json``.
        versions: Where versions are kept; ``None`` keeps none.

    Raises:
        PolicyUnavailable: The policies do not compile.
    """

    def __init__(self, folder: Path, versions: PolicyVersions | None = None) -> None:
        self.live = LivePolicies(folder, ENTRIES, admission_only)
        self._versions = versions

    @property
    def digest(self) -> Digest:
        """Digest of the policies in force."""
        return self.live.current().digest

    async def decided(
        self, entry: str, document: dict[str, Any], meaning: Meaning[Meant], pinned: Digest | None = None
    ) -> Meant:
        """Return what a rule says of a document; see :class:`PolicyEngine`."""
        bundle = await self._bundle(pinned)
        return meaning(bundle.evaluate(entry, document), bundle.digest, "")

    async def in_force(self) -> Digest:
        """Return the digest of the policies in force."""
        return self.digest

    async def keep(self) -> Digest:
        """Keep the policies in force; return their digest."""
        bundle = self.live.current()
        if self._versions is not None:
            await self._versions.keep(bundle.policies)
        return bundle.digest

    async def _bundle(self, pinned: Digest | None) -> RegoBundle:
        current = self.live.current()
        if pinned is None or pinned == current.digest:
            return current
        if self._versions is None:
            raise PolicyChanged(f"the policy {pinned} that the run keeps to is not kept here")
        return await self._versions.bundle(pinned)
