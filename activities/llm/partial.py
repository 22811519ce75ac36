"""What a model has said so far of an answer that is on its way: for whoever watches, never for the record."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from activities.llm.gateway_asking import gateway_on
from temporal.redaction import PROCESS

# Somebody watches a page: rather nothing than a page that waits. Nothing is retried; the next look asks again.
ANSWER_WITHIN_SECONDS: Final = 0.5
# As much as a page shows.
MOST_CHARACTERS: Final = 64 * 1024
PATH: Final = "/v1/partial"

Heard = Callable[[str], None]


class PartialAnswers:
    """Collects answers while they arrive, by the key of their call."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def listener(self, key: str) -> Heard:
        """Return what takes the pieces of an answer; a new call under the key begins anew."""
        pieces: list[str] = []
        self._texts[key] = pieces
        return pieces.append

    def forget(self, key: str) -> None:
        """Drop what was collected: the answer has arrived, or never will."""
        self._texts.pop(key, None)

    def text(self, key: str) -> str | None:
        """Return what has arrived, whatever its context; ``None`` when no call is under way."""
        under_way = next((one for one in self._texts if one == key or one.startswith(f"{key}/")), key)
        pieces = self._texts.get(under_way)
        return None if pieces is None else PROCESS.redacted_cut("".join(pieces)[:MOST_CHARACTERS])


async def heard_so_far(socket: Path, key: str) -> str:
    """Ask the gateway on this machine what a model has said so far; empty when there is none, or nothing yet.

    Args:
        socket: The gateway's Unix socket.
        key: Idempotency key of the call; who watches need not know its context.
    """
    try:
        async with gateway_on(socket, ANSWER_WITHIN_SECONDS) as client:
            response = await client.get(PATH, params={"key": key})
            return response.text if response.is_success else ""
    except httpx.HTTPError:
        return ""
