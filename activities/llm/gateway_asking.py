"""A connection to the model gateway on this machine, for whoever asks it one thing that is no model call."""

from pathlib import Path

import httpx


def gateway_on(socket: Path, answer_within: float) -> httpx.AsyncClient:
    """Return a client of the gateway; nothing is connected yet.

    Args:
        socket: The gateway's Unix socket.
        answer_within: Longest each part of an answer may take, in seconds.
    """
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://gateway", timeout=answer_within
    )
