"""The embedded artifact store: a folder of files named by their digest."""

import asyncio
import os
import re
import tempfile
from pathlib import Path

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactNotFound, Digest, digest_of

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class FolderArtifactStore:
    """Keeps each artifact in ``<root>/<first two hex digits>/<the rest>``.

    A write goes to a temporary file that is renamed into place, so a reader never sees half an artifact
    and two writers of the same bytes cannot disturb each other.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest."""
        return await asyncio.to_thread(self.write, data)

    async def get(self, digest: Digest) -> bytes:
        """Return the bytes of a digest, verified."""
        return await asyncio.to_thread(self._get, digest)

    def _path(self, digest: Digest) -> Path:
        # A digest may come from outside; anything else than one could name a file elsewhere.
        if not _DIGEST.fullmatch(digest):
            raise ArtifactNotFound(f"{digest!r} is not a digest", digest=digest)
        name = digest.removeprefix("sha256:")
        return self._root / name[:2] / name[2:]

    def write(self, data: bytes) -> Digest:
        """Store bytes and return their digest; blocks."""
        digest = digest_of(data)
        path = self._path(digest)
        if path.exists():
            return digest
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest

    def _get(self, digest: Digest) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise ArtifactNotFound(f"no artifact {digest}", digest=digest) from None
        if digest_of(data) != digest:
            raise ArtifactCorrupt(f"artifact {digest} was altered on disk", digest=digest)
        return data
