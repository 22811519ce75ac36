"""The audit log, as ``client.audit``."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol, TypeVar

from activities.audit.contracts import AuditReport
from api.client import calls
from api.client.calls import Call
from api.models import AuditPage

Answer = TypeVar("Answer")


class Sends(Protocol):
    """A blocking client."""

    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""
        ...

    def stream(self, call: Call[Any]) -> Iterator[bytes]:
        """Yield an answer's bytes."""
        ...


class SendsLater(Protocol):
    """A client for asyncio."""

    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""
        ...

    def stream(self, call: Call[Any]) -> AsyncIterator[bytes]:
        """Yield an answer's bytes."""
        ...


class AuditCalls:
    """Reads and verifies the audit log.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def entries(self, *, before: int | None = None, limit: int = 100, **wanted: Any) -> AuditPage:  # noqa: ANN401
        """Return a page of entries, newest first.

        Args:
            before: Only entries before this one: the last page's ``next``.
            limit: How many at most.
            wanted: ``kind`` (one or several), ``actor``, ``since``, ``until``.
        """
        return self._client.send(calls.audit_entries(before, limit, wanted))

    def export(self, **wanted: Any) -> Iterator[bytes]:  # noqa: ANN401 -- as entries
        """Yield the bytes of an export as JSON lines; ``wanted`` as for :meth:`entries`."""
        return self._client.stream(calls.audit_export(wanted))

    def verify(self) -> AuditReport:
        """Return all that is wrong with the log."""
        return self._client.send(calls.audit_verify())


class AsyncAuditCalls:
    """As :class:`AuditCalls`, for asyncio.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def entries(self, *, before: int | None = None, limit: int = 100, **wanted: Any) -> AuditPage:  # noqa: ANN401
        """Return a page of entries, newest first."""
        return await self._client.send(calls.audit_entries(before, limit, wanted))

    def export(self, **wanted: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 -- as entries
        """Yield the bytes of an export as JSON lines."""
        return self._client.stream(calls.audit_export(wanted))

    async def verify(self) -> AuditReport:
        """Return all that is wrong with the log."""
        return await self._client.send(calls.audit_verify())
