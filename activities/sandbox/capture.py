"""What a program prints, up to a limit."""

from dataclasses import dataclass, field
from typing import Final

_TAIL_BYTES: Final = 8_192


@dataclass
class Capture:
    """The beginning of a stream up to a limit, and its last bytes.

    Args:
        limit: How much of the beginning is kept, in bytes.
    """

    limit: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    truncated: bool = False

    def feed(self, chunk: bytes) -> None:
        """Keep what fits of what came next."""
        room = self.limit - len(self.head)
        self.head += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room
        self.tail = (self.tail + chunk)[-_TAIL_BYTES:]

    @property
    def text(self) -> str:
        """What is kept of the beginning."""
        return self.head.decode(errors="replace")

    @property
    def last(self) -> str:
        """The last words."""
        return self.tail.decode(errors="replace")
