"""Files in the artifact store, and snapshots of a folder of them: a list of paths, digests and sizes."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactStore, Digest, digest_of
from temporal.contract import Contract

LONGEST_PATH_BYTES: Final = 1024


class StoredFile(Contract):
    """A file of a snapshot.

    Args:
        path: Where it is within the folder.
        digest: Of its bytes, under which they are stored.
        size: In bytes.
    """

    path: str
    digest: Digest
    size: NonNegativeInt


class Snapshot(Contract):
    """A folder as it was at one moment. The same files give the same snapshot, whoever took it and when.

    Args:
        manifest: Digest of the list of its files (canonical JSON, by path), under which that is stored.
        files: How many there are.
        size: Of all together, in bytes.
    """

    manifest: Digest
    files: NonNegativeInt
    size: NonNegativeInt


_FILES: Final = TypeAdapter(tuple[StoredFile, ...])


def path_problem(path: str) -> str:
    """Return why a path cannot be one of a snapshot; empty when it can."""
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        return "leads out of its folder, or is no path"
    if not path.isprintable() or "\\" in path:
        return "has characters that no path may have here"
    if len(path.encode(errors="surrogatepass")) > LONGEST_PATH_BYTES:
        return f"is longer than {LONGEST_PATH_BYTES} bytes"
    return ""


def snapshot_of(files: Iterable[StoredFile]) -> Snapshot:
    """Return the snapshot that files make."""
    found = tuple(files)
    return Snapshot(manifest=digest_of(manifest_bytes(found)), files=len(found), size=sum(one.size for one in found))


def manifest_bytes(files: Iterable[StoredFile]) -> bytes:
    """Return the list of a snapshot's files in its one form: canonical JSON, ordered by path."""
    told = [one.model_dump() for one in sorted(files, key=lambda one: one.path)]
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Files:
    """Keeps folders in the artifact store, and reads them back.

    Args:
        store: Where their bytes go.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def keep(self, files: Mapping[str, bytes]) -> Snapshot:
        """Store files and the list of them."""
        stored = [
            StoredFile(path=path, digest=await self._store.put(data), size=len(data)) for path, data in files.items()
        ]
        await self._store.put(manifest_bytes(stored))
        return snapshot_of(stored)

    async def list(self, snapshot: Snapshot | None) -> tuple[StoredFile, ...]:
        """Return a snapshot's files by path; none of no snapshot.

        Raises:
            ArtifactNotFound: The list is not there any more.
            ArtifactCorrupt: It is not as it was written.
        """
        if snapshot is None:
            return ()
        try:
            return _FILES.validate_json(await self._store.get(snapshot.manifest))
        except ValidationError:
            raise ArtifactCorrupt(f"{snapshot.manifest} is no list of files", digest=snapshot.manifest) from None

    async def read(self, snapshot: Snapshot | None) -> dict[str, bytes]:
        """Return a snapshot's files with their bytes, verified.

        Raises:
            ArtifactNotFound: One is not there any more.
            ArtifactCorrupt: One was altered.
        """
        return {one.path: await self._store.get(one.digest) for one in await self.list(snapshot)}
