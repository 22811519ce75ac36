"""The client for asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx
from httpx_sse import EventSource, SSEError

from activities.records.contracts import RowState, RunState
from activities.records.views import EventView, NotificationView, RowDetail, RowView, RunView
from api.agent_models import Agents, Tools
from api.client import calls
from api.client.accounts import AsyncAccountMethods
from api.client.audit import AsyncAuditCalls
from api.client.budgets import AsyncBudgetMethods
from api.client.cache import AsyncCacheCalls
from api.client.calls import Call, Catalog, Form, ReportForm
from api.client.errors import PrismApiError
from api.client.experiments import AsyncExperimentCalls
from api.client.feedback import AsyncFeedbackCalls
from api.client.following import READ_TIMEOUT, Position
from api.client.reflections import AsyncReflectionCalls
from api.client.reviews import AsyncReviewMethods
from api.client.scans import AsyncScanCalls
from api.client.secrets import AsyncSecretCalls
from api.client.synchronous import DEFAULT_URL, FIRST_POLL_SECONDS, LAST_POLL_SECONDS, PAGE_ROWS, PATIENCE
from api.client.usage import AsyncUsageMethods
from api.models import Accepted, Health, Runs, Submitted, Validation, Verification
from api.system_models import System

Answer = TypeVar("Answer")


class AsyncPrismClient(AsyncReviewMethods, AsyncAccountMethods, AsyncBudgetMethods, AsyncUsageMethods):
    """Talks to Prism's API from asyncio; every method raises ``PrismApiError`` when the API refuses or does not answer.

    Args:
        url: Where the API is.
        token: Bearer token; without one, that of ``PRISM_API_TOKEN``.
        transport: Replaces the network, for tests.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(transport=transport, **calls.client_options(url, token))
        self.audit = AsyncAuditCalls(self)
        self.cache = AsyncCacheCalls(self)
        self.experiments = AsyncExperimentCalls(self)
        self.feedback = AsyncFeedbackCalls(self)
        self.reflections = AsyncReflectionCalls(self)
        self.scans = AsyncScanCalls(self)
        self.secrets = AsyncSecretCalls(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def health(self) -> Health:
        """Return whether the API's process serves."""
        return await self.send(calls.health())

    async def system(self) -> System:
        """Return task queues with their pollers, policies in force, spending and, for administrators, settings."""
        return await self.send(calls.system())

    async def agents(self) -> Agents:
        """Return the agents and the collections of documents that rows may name."""
        return await self.send(calls.agents())

    async def tools(self) -> Tools:
        """Return the programs that models may have run, and what the policy says of them."""
        return await self.send(calls.tools())

    async def ready(self) -> Health:
        """Return whether the API and what it needs answer."""
        return await self.send(calls.ready())

    async def submit(  # noqa: PLR0913 -- each is a word of the API
        self,
        catalog: Catalog,
        *,
        title: str | None = None,
        map: Mapping[str, str] | None = None,  # noqa: A002 -- its name in the API
        literal: bool = False,
        skip_invalid: bool = False,
        concurrency: int | None = None,
        budget_usd: float | None = None,
        pin_policy: bool = False,
        tool_rounds: int | None = None,
        tool_calls: int | None = None,
        run: str | None = None,
        idempotency_key: str | None = None,
    ) -> Submitted:
        """Start a run of a catalog.

        Args:
            catalog: A path (a ``Path``, or a string of one line), or the catalog itself.
            title: What the run is called; the file's name by default.
            map: Column of the file to column of Prism.
            literal: Prompts are text, not templates.
            skip_invalid: Leave out invalid rows and what depends on them.
            concurrency: How many rows may be under way at once.
            budget_usd: Most that all model calls of the run may cost; then it pauses and somebody is asked for more.
            pin_policy: Keep to the policy in force now, whatever is newer while the run lasts.
            tool_rounds: How often a model may call tools before it has to answer, for each text that it writes.
            tool_calls: How many calls that may be in all.
            run: Run id of your choice.
            idempotency_key: The same catalog under the same key is one run; a fresh key for each call by default.
        """
        call = calls.submit(
            catalog,
            title=title,
            map=map,
            literal=literal,
            skip_invalid=skip_invalid,
            concurrency=concurrency,
            budget_usd=budget_usd,
            pin_policy=pin_policy,
            tool_rounds=tool_rounds,
            tool_calls=tool_calls,
            run=run,
            idempotency_key=idempotency_key,
        )
        return await self.send(call)

    async def validate(
        self,
        catalog: Catalog,
        *,
        map: Mapping[str, str] | None = None,  # noqa: A002 -- its name in the API
        literal: bool = False,
        skip_invalid: bool = False,
        budget_usd: float | None = None,
    ) -> Validation:
        """Return all that is wrong with a catalog, and in ``estimate`` what it would cost; nothing is started."""
        return await self.send(
            calls.validate(catalog, map=map, literal=literal, skip_invalid=skip_invalid, budget_usd=budget_usd)
        )

    async def runs(
        self, *, state: RunState | str | None = None, text: str = "", before: str = "", limit: int = 50
    ) -> Runs:
        """Return a page of runs, newest first; its ``next`` goes into ``before``."""
        return await self.send(calls.runs(state, text, before, limit))

    async def run(self, run: str) -> RunView:
        """Return a run: its state, counts, cost and rate."""
        return await self.send(calls.run(run))

    async def rows(
        self,
        run: str,
        *,
        state: RowState | str | None = None,
        board: str = "",
        text: str = "",
        limit: int | None = None,
    ) -> AsyncIterator[RowView]:
        """Yield a run's rows in plan order, a page of them in memory.

        Args:
            run: The run.
            state: Only rows in this state.
            board: Only rows of this board.
            text: Only rows whose id, title or objective holds this text.
            limit: How many at most.
        """
        after: int | None = -1
        left = limit
        while after is not None and left != 0:
            page = await self.send(calls.rows(run, state, board, text, after, min(left or PAGE_ROWS, PAGE_ROWS)))
            for row in page.rows:
                yield row
            left = None if left is None else left - len(page.rows)
            after = page.next

    async def row(self, run: str, row: str) -> RowDetail:
        """Return a row with every step of every execution."""
        return await self.send(calls.row(run, row))

    async def results(self, run: str, format: Form = "json") -> bytes:  # noqa: A002 -- its name in the API
        """Return every row with its output, as CSV, JSON lines or JSON."""
        return await self.send(calls.results(run, format))

    async def stream_results(self, run: str, format: Form = "json") -> AsyncIterator[bytes]:  # noqa: A002
        """Yield the bytes of ``results`` as they arrive."""
        async for chunk in self.stream(calls.results(run, format)):
            yield chunk

    async def proof(self, run: str, row: str = "") -> bytes:
        """Return the proof of a run that has ended, or of one row (zip); ``prism verify`` checks it offline."""
        return await self.send(calls.proof(run, row))

    async def stream_proof(self, run: str, row: str = "") -> AsyncIterator[bytes]:
        """Yield the bytes of ``proof`` as they arrive."""
        async for chunk in self.stream(calls.proof(run, row)):
            yield chunk

    async def compliance(self, run: str, format: ReportForm = "html") -> bytes:  # noqa: A002
        """Return who decided what on each row of a run: a page for people, or a table for programs."""
        return await self.send(calls.compliance(run, format))

    async def wait(self, run: str, timeout: float | None = None) -> RunView:  # noqa: ASYNC109 -- as in the blocking client
        """Return a run when it has ended.

        Args:
            run: The run.
            timeout: Longest wait in seconds; none waits for ever.

        Raises:
            TimeoutError: It has not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        delay = FIRST_POLL_SECONDS
        while not (view := await self.run(run)).state.ended:
            if deadline is not None and time.monotonic() + delay > deadline:
                raise TimeoutError(f"run {run} is {view.state.value} after {timeout} s")
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, LAST_POLL_SECONDS)
        return view

    async def watch(self, run: str, *, after: int = 0, patience: int = PATIENCE) -> AsyncIterator[EventView]:
        """Yield a run's events, each once, until the run ends; broken connections are taken up where they broke.

        Args:
            run: The run.
            after: Id of the last event known; 0 starts with the first.
            patience: How many connections in a row may bring no event before it gives up.
        """
        position = Position(self.url, after, patience)
        while not position.ended:
            broken: Exception | None = None
            try:
                async with self._http.stream(
                    "GET", calls.events(run), headers=position.headers, timeout=READ_TIMEOUT
                ) as response:
                    if not response.is_success:
                        await response.aread()
                        raise PrismApiError.of(response)
                    async for message in EventSource(response).aiter_sse():
                        if event := position.take(message):
                            yield event
            except (httpx.TransportError, SSEError) as error:
                broken = error
            if not position.ended:
                await asyncio.sleep(position.broken(broken))

    async def pause(self, run: str, *, by: str = "", reason: str = "") -> Accepted:
        """Start no further row."""
        return await self.send(calls.steer(run, "pause", {"by": by, "reason": reason}))

    async def resume(self, run: str, *, by: str = "", reason: str = "") -> Accepted:
        """Start rows again."""
        return await self.send(calls.steer(run, "resume", {"by": by, "reason": reason}))

    async def cancel(self, run: str) -> Accepted:
        """Cancel a run with all its rows."""
        return await self.send(calls.steer(run, "cancel", {}))

    async def retry(self, run: str, rows: Sequence[str] = ()) -> Accepted:
        """Run rows again that ended without success, and what they blocked; all of them when none is named."""
        return await self.send(calls.steer(run, "retry", calls.selection(rows)))

    async def skip(self, run: str, rows: Sequence[str]) -> Accepted:
        """End rows that were not started."""
        return await self.send(calls.steer(run, "skip", {"rows": list(rows)}))

    async def concurrency(self, run: str, limit: int) -> Accepted:
        """Change how many rows are under way at once."""
        return await self.send(calls.steer(run, "concurrency", {"limit": limit}))

    async def verify(
        self, run: str | None = None, row: str | None = None, *, envelope: str | None = None
    ) -> Verification:
        """Return what a row's envelope, or one named by its digest, proves."""
        return await self.send(calls.verify(run, row, envelope))

    async def public_key(self) -> bytes:
        """Return the key that verifies this installation's envelopes, in PEM."""
        return await self.send(calls.public_key())

    async def notifications(
        self, *, recipient: str = "", run: str = "", limit: int = 100, mine: bool = False, unread: bool = False
    ) -> list[NotificationView]:
        """Return notifications, newest first: with ``mine`` one's own, with ``unread`` what was not seen."""
        return await self.send(calls.notifications(recipient, run, limit, mine=mine, unread=unread))

    async def mark_notifications_read(self, keys: Sequence[str] = ()) -> int:
        """Mark notifications as read, those named or all of one's own; return how many had not been."""
        return await self.send(calls.mark_notifications_read(keys))

    async def artifact(self, digest: str) -> bytes:
        """Return an artifact's bytes, checked against their digest."""
        return await self.send(calls.artifact(digest))

    async def stream(self, call: Call[bytes]) -> AsyncIterator[bytes]:
        """Yield the bytes of an answer as they arrive."""
        try:
            async with self._http.stream(call.method, call.path, **call.options) as response:
                if not response.is_success:
                    await response.aread()
                    raise PrismApiError.of(response)
                async for chunk in response.aiter_bytes():
                    yield chunk
        except httpx.TransportError as error:
            raise PrismApiError.unreachable(self.url, error) from error

    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request of :mod:`api.client.calls`."""
        for attempt in range(1, calls.ATTEMPTS + 1):
            try:
                return call.read(await self._http.request(call.method, call.path, **call.options))
            except httpx.TransportError as error:
                if not calls.repeated(call, error, attempt):
                    raise PrismApiError.unreachable(self.url, error) from error
        raise AssertionError("the last attempt returns or raises")
