"""What both clients do with usage."""

from abc import abstractmethod
from typing import TypeVar

from activities.analytics.contracts import Usage
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


class AsyncUsageMethods:
    """Usage of models, for the asynchronous client."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    async def usage(self, days: int = 30) -> Usage:
        """Return calls, spend, latency, cache and local share of the last days, and what failed."""
        return await self.send(_usage(days))


def _usage(days: int) -> Call[Usage]:
    return calls.get("/usage", Usage, days=days)
