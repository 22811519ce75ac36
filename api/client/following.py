"""Following a run's events over connections that may break: what both clients share."""

import httpx
from httpx_sse import ServerSentEvent

from activities.records.views import EventView
from api.client.errors import PrismApiError

# The server sends a ping every 15 seconds; three missed ones are a dead connection.
READ_TIMEOUT = httpx.Timeout(45.0, connect=5.0)
FIRST_DELAY_SECONDS = 0.1
LAST_DELAY_SECONDS = 5.0
END = "end"


class Position:
    """How far the events were read, and how often in a row a connection brought none.

    Args:
        url: The API, for the error message.
        after: Id of the last event known, 0 for none.
        patience: Connections in a row that may fail without an event.
    """

    def __init__(self, url: str, after: int, patience: int) -> None:
        self._url = url
        self._after = after
        self._patience = patience
        self._failures = 0
        self.ended = False

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the next connection."""
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        return {**headers, "last-event-id": str(self._after)} if self._after else headers

    def take(self, message: ServerSentEvent) -> EventView | None:
        """Return a message's event; ``None`` for the end and for an event that was seen before."""
        self._failures = 0
        if message.event == END:
            self.ended = True
            return None
        event = EventView.model_validate_json(message.data)
        if event.id <= self._after:
            return None
        self._after = event.id
        return event

    def broken(self, error: Exception | None) -> float:
        """Return how long to wait before the next connection.

        Raises:
            PrismApiError: Too many in a row failed.
        """
        self._failures += 1
        if self._failures > self._patience:
            raise PrismApiError.unreachable(self._url, error or ConnectionError("the connection ends without an event"))
        return float(min(FIRST_DELAY_SECONDS * 2 ** (self._failures - 1), LAST_DELAY_SECONDS))
