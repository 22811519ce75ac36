"""Reflections, as ``client.reflections``."""

from typing import Any

from activities.reflections.contracts import Reflection
from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call
from api.reflection_models import Reflections


class ReflectionCalls:
    """Starts, lists and shows reflections.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def start(self, agent: str, **asked: Any) -> Reflection:  # noqa: ANN401 -- JSON values
        """Have a changed prompt proposed for an agent; answers when it is known whether there is enough evidence.

        Args:
            agent: Whose prompt.
            asked: ``board`` (only what was wrong there), ``model`` (group that proposes), ``wanted`` (how many pieces
                of evidence there must be), ``by`` (leave it out where you are logged in).
        """
        return self._client.send(_start(agent, asked))

    def list(self) -> Reflections:
        """Return reflections, the newest first."""
        return self._client.send(_list())

    def get(self, reflection: str) -> Reflection:
        """Return a reflection, and the version of the prompt that came of it."""
        return self._client.send(_get(reflection))


class AsyncReflectionCalls:
    """As :class:`ReflectionCalls`, for asyncio.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def start(self, agent: str, **asked: Any) -> Reflection:  # noqa: ANN401 -- JSON values
        """Have a changed prompt proposed for an agent; answers when it is known whether there is enough evidence."""
        return await self._client.send(_start(agent, asked))

    async def list(self) -> Reflections:
        """Return reflections, the newest first."""
        return await self._client.send(_list())

    async def get(self, reflection: str) -> Reflection:
        """Return a reflection, and the version of the prompt that came of it."""
        return await self._client.send(_get(reflection))


def _start(agent: str, asked: dict[str, Any]) -> Call[Reflection]:
    return calls.account("POST", "/reflections", Reflection, {"agent": agent} | asked)


def _list() -> Call[Reflections]:
    return calls.get("/reflections", Reflections)


def _get(reflection: str) -> Call[Reflection]:
    return calls.get(f"/reflections/{calls.part(reflection)}", Reflection)
