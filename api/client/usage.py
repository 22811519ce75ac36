"""What both clients do with usage."""

from abc import abstractmethod
from typing import TypeVar

from activities.analytics.contracts import Failovers, Usage
from api.client import calls
from api.client.calls import Call

Answer = TypeVar("Answer")


class UsageMethods:
    """Usage of models, for the blocking client."""

    @abstractmethod
    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    def usage(self, days: int = 30) -> Usage:
        """Return calls, spend, latency, cache and local share of the last days, and what failed."""
        return self.send(_usage(days))

    def failovers(self, days: int = 30, limit: int = 200) -> Failovers:
        """Return requests that deployments failed, where their calls went next, and circuits, the newest first."""
        return self.send(_failovers(days, limit))


class AsyncUsageMethods:
    """Usage of models, for the asynchronous client."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    async def usage(self, days: int = 30) -> Usage:
        """Return calls, spend, latency, cache and local share of the last days, and what failed."""
        return await self.send(_usage(days))

    async def failovers(self, days: int = 30, limit: int = 200) -> Failovers:
        """Return requests that deployments failed, where their calls went next, and circuits, the newest first."""
        return await self.send(_failovers(days, limit))


def _usage(days: int) -> Call[Usage]:
    return calls.get("/usage", Usage, days=days)


def _failovers(days: int, limit: int) -> Call[Failovers]:
    return calls.get("/usage/failovers", Failovers, days=days, limit=limit)
