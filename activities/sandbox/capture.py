"""What a program prints, up to a limit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from activities.telling import tell
from temporal.redaction import PROCESS

_TAIL_BYTES: Final = 8_192
# As much as somebody reads while it runs; each is a row of the records.
_SHOWN_CHARACTERS: Final = 2_000


@dataclass
class Capture:
    """The beginning of a stream up to a limit, and its last bytes.

    Args:
        limit: How much of the beginning is kept, in bytes.
        heard: Takes the pieces as they come.
    """

    limit: int
    heard: Callable[[bytes], None] | None = None
    head: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    truncated: bool = False

    def feed(self, chunk: bytes) -> None:
        """Keep what fits of what came next."""
        room = self.limit - len(self.head)
        self.head += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room
        self.tail = (self.tail + chunk)[-_TAIL_BYTES:]
        if self.heard is not None:
            self.heard(chunk)

    @property
    def text(self) -> str:
        """What is kept of the beginning."""
        return self.head.decode(errors="replace")

    @property
    def last(self) -> str:
        """The last words."""
        return self.tail.decode(errors="replace")


class Printing:
    """What a program printed so far on both streams, for whoever watches it run.

    Args:
        limit: How much of the beginning is heard, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._capture = Capture(limit)
        self._told = ""

    def heard(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._capture.feed(chunk)

    def tell(self) -> None:
        """Tell the last of it, where there is more than before. All of it is masked before any of it is cut away."""
        last = PROCESS.redacted_cut(self._capture.text)[-_SHOWN_CHARACTERS:]
        if last != self._told:
            self._told = last
            tell(last)
