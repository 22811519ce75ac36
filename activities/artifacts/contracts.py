"""Content-addressed artifacts, and texts that travel by value when small and by digest when large."""

import hashlib
from typing import Annotated, Final, Protocol, Self

from pydantic import NonNegativeInt, StringConstraints

from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

INLINE_LIMIT_BYTES: Final = 64 * 1024


class ArtifactNotFound(PrismError):
    """No artifact has this digest."""

    code = ErrorCode.ARTIFACT_NOT_FOUND


class ArtifactCorrupt(PrismError):
    """The stored bytes no longer have the digest they are filed under."""

    code = ErrorCode.ARTIFACT_CORRUPT


class Text(Contract):
    """A text by value or by reference (claim check).

    Args:
        digest: SHA-256 of the UTF-8 bytes.
        size: Length in bytes.
        inline: The text itself where it is small enough to travel through history, else ``None``.
    """

    digest: Digest
    size: NonNegativeInt
    inline: str | None = None

    @classmethod
    def by_value(cls, text: str) -> Self:
        """Return a text that travels by value, whatever its size."""
        data = text.encode()
        return cls(digest=digest_of(data), size=len(data), inline=text)

    @property
    def by_reference(self) -> Self:
        """The text without its bytes: who reads it finds them in the artifact store."""
        return self.model_copy(update={"inline": None})


class ArtifactStore(Protocol):
    """Where bytes are kept under their digest. Writing the same bytes twice is one artifact."""

    async def put(self, data: bytes) -> Digest:
        """Store bytes and return their digest."""
        ...

    async def get(self, digest: Digest) -> bytes:
        """Return the bytes of a digest, verified.

        Raises:
            ArtifactNotFound: Nothing is stored under the digest.
            ArtifactCorrupt: What is stored does not have the digest.
        """
        ...


def digest_of(data: bytes) -> Digest:
    """Return the ``sha256:`` digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Texts:
    """Packs texts for history and reads them back.

    Args:
        store: Where large texts go.
        inline_limit: Largest text that travels by value, in bytes.
    """

    def __init__(self, store: ArtifactStore, inline_limit: int = INLINE_LIMIT_BYTES) -> None:
        self.store = store
        self._inline_limit = inline_limit

    async def pack(self, text: str) -> Text:
        """Return the text by value when small, else store it and return its reference."""
        data = text.encode()
        if len(data) <= self._inline_limit:
            return Text.by_value(text)
        return Text(digest=await self.store.put(data), size=len(data))

    async def keep(self, text: str) -> Text:
        """Store the text whatever its size, and return it packed: it can be read by digest later."""
        await self.store.put(text.encode())
        return await self.pack(text)

    async def read(self, text: Text) -> str:
        """Return the text itself."""
        if text.inline is not None:
            return text.inline
        return (await self.store.get(text.digest)).decode()
