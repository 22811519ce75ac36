"""Versions of the policies, kept in the artifact store under the digest by which decisions name them."""

import asyncio
import json
from collections import OrderedDict
from pathlib import Path
from typing import Final

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactNotFound, ArtifactStore, Digest
from activities.policy.bundle import RegoBundle
from activities.policy.contracts import PolicyChanged
from activities.policy.folder import PolicyFolder

_COMPILED: Final = 8


class PolicyVersions:
    """Keeps policies and evaluates those of old.

    A version is the list of its files' paths and digests: the digest of that list is the one that decisions carry, so
    that an artifact of this digest cannot be another policy.

    Args:
        artifacts: Where versions are kept.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._kept: set[Digest] = set()
        self._compiled: OrderedDict[Digest, RegoBundle] = OrderedDict()

    async def keep(self, policies: PolicyFolder) -> None:
        """Keep a version; each is written once."""
        if policies.digest in self._kept:
            return
        await asyncio.gather(*(self._artifacts.put(data) for data in policies.files.values()))
        await self._artifacts.put(policies.manifest)
        self._kept.add(policies.digest)

    async def has(self, digest: Digest) -> bool:
        """Tell whether a version is kept."""
        try:
            await self._read(digest)
        except PolicyChanged:
            return False
        return True

    async def bundle(self, digest: Digest) -> RegoBundle:
        """Return a version, compiled.

        Raises:
            PolicyChanged: Nobody kept it.
            PolicyUnavailable: This engine does not compile it.
        """
        if digest not in self._compiled:
            self._compiled[digest] = await asyncio.to_thread(RegoBundle, await self._read(digest), ())
        self._compiled.move_to_end(digest)
        while len(self._compiled) > _COMPILED:
            self._compiled.popitem(last=False)
        return self._compiled[digest]

    async def _read(self, digest: Digest) -> PolicyFolder:
        try:
            listed = json.loads(await self._artifacts.get(digest))
            files = {Path(name): await self._artifacts.get(one) for name, one in listed}
        except (ArtifactNotFound, ArtifactCorrupt, ValueError, TypeError) as error:
            raise PolicyChanged(f"the policy {digest} that the run keeps to is not kept here") from error
        rego = {name: data for name, data in files.items() if name.suffix == ".rego"}
        documents = {name: data for name, data in files.items() if name not in rego}
        return PolicyFolder(Path(digest), modules=rego, documents=documents, tests={})
