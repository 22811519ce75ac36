"""The blocking client."""

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx
from httpx_sse import EventSource, SSEError

from activities.records.contracts import RowState, RunState
from activities.records.views import EventView, NotificationView, RowDetail, RowView, RunView
from api.agent_models import Agents, Tools
from api.client import calls
from api.client.accounts import AccountMethods
from api.client.audit import AuditCalls
from api.client.budgets import BudgetMethods
from api.client.cache import CacheCalls
from api.client.calls import Call, Catalog, Form, ReportForm
from api.client.errors import PrismApiError
from api.client.experiments import ExperimentCalls
from api.client.feedback import FeedbackCalls
from api.client.following import READ_TIMEOUT, Position
from api.client.reflections import ReflectionCalls
from api.client.reviews import ReviewMethods
from api.client.scans import ScanCalls
from api.client.secrets import SecretCalls
from api.client.usage import UsageMethods
from api.models import Accepted, Health, Runs, Submitted, Validation, Verification
from api.system_models import System

Answer = TypeVar("Answer")

DEFAULT_URL = "http://127.0.0.1:4000"
PAGE_ROWS = 500
FIRST_POLL_SECONDS = 0.1
LAST_POLL_SECONDS = 2.0
PATIENCE = 8


class PrismClient(ReviewMethods, AccountMethods, BudgetMethods, UsageMethods):
    """Talks to Prism's API; every method raises ``PrismApiError`` when the API refuses or does not answer.

    Args:
        url: Where the API is.
        token: Bearer token; without one, that of ``PRISM_API_TOKEN``.
        transport: Replaces the network, for tests.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(transport=transport, **calls.client_options(url, token))
        self.audit = AuditCalls(self)
        self.cache = CacheCalls(self)
        self.experiments = ExperimentCalls(self)
        self.feedback = FeedbackCalls(self)
        self.reflections = ReflectionCalls(self)
        self.scans = ScanCalls(self)
        self.secrets = SecretCalls(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> Health:
        """Return whether the API's process serves."""
        return self.send(calls.health())

    def system(self) -> System:
        """Return task queues with their pollers, policies in force, spending and, for administrators, settings."""
        return self.send(calls.system())

    def agents(self) -> Agents:
        """Return the agents and the collections of documents that rows may name."""
        return self.send(calls.agents())

    def tools(self) -> Tools:
        """Return the programs that models may have run, and what the policy says of them."""
        return self.send(calls.tools())

    def ready(self) -> Health:
        """Return whether the API and what it needs answer."""
        return self.send(calls.ready())

    def submit(  # noqa: PLR0913 -- each is a word of the API
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
        return self.send(call)

    def validate(
        self,
        catalog: Catalog,
        *,
        map: Mapping[str, str] | None = None,  # noqa: A002 -- its name in the API
        literal: bool = False,
        skip_invalid: bool = False,
        budget_usd: float | None = None,
    ) -> Validation:
        """Return all that is wrong with a catalog, and in ``estimate`` what it would cost; nothing is started."""
        return self.send(
            calls.validate(catalog, map=map, literal=literal, skip_invalid=skip_invalid, budget_usd=budget_usd)
        )

    def runs(self, *, state: RunState | str | None = None, text: str = "", before: str = "", limit: int = 50) -> Runs:
        """Return a page of runs, newest first; its ``next`` goes into ``before``."""
        return self.send(calls.runs(state, text, before, limit))

    def run(self, run: str) -> RunView:
        """Return a run: its state, counts, cost and rate."""
        return self.send(calls.run(run))

    def rows(
        self,
        run: str,
        *,
        state: RowState | str | None = None,
        board: str = "",
        text: str = "",
        limit: int | None = None,
    ) -> Iterator[RowView]:
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
            page = self.send(calls.rows(run, state, board, text, after, min(left or PAGE_ROWS, PAGE_ROWS)))
            yield from page.rows
            left = None if left is None else left - len(page.rows)
            after = page.next

    def row(self, run: str, row: str) -> RowDetail:
        """Return a row with every step of every execution."""
        return self.send(calls.row(run, row))

    def results(self, run: str, format: Form = "json") -> bytes:  # noqa: A002 -- its name in the API
        """Return every row with its output, as CSV, JSON lines or JSON."""
        return self.send(calls.results(run, format))

    def stream_results(self, run: str, format: Form = "json") -> Iterator[bytes]:  # noqa: A002
        """Yield the bytes of ``results`` as they arrive."""
        return self.stream(calls.results(run, format))

    def proof(self, run: str, row: str = "") -> bytes:
        """Return the proof of a run that has ended, or of one row (zip); ``prism verify`` checks it offline."""
        return self.send(calls.proof(run, row))

    def stream_proof(self, run: str, row: str = "") -> Iterator[bytes]:
        """Yield the bytes of ``proof`` as they arrive."""
        return self.stream(calls.proof(run, row))

    def compliance(self, run: str, format: ReportForm = "html") -> bytes:  # noqa: A002
        """Return who decided what on each row of a run: a page for people, or a table for programs."""
        return self.send(calls.compliance(run, format))

    def wait(self, run: str, timeout: float | None = None) -> RunView:
        """Return a run when it has ended.

        Args:
            run: The run.
            timeout: Longest wait in seconds; none waits for ever.

        Raises:
            TimeoutError: It has not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        delay = FIRST_POLL_SECONDS
        while not (view := self.run(run)).state.ended:
            if deadline is not None and time.monotonic() + delay > deadline:
                raise TimeoutError(f"run {run} is {view.state.value} after {timeout} s")
            time.sleep(delay)
            delay = min(delay * 1.5, LAST_POLL_SECONDS)
        return view

    def watch(self, run: str, *, after: int = 0, patience: int = PATIENCE) -> Iterator[EventView]:
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
                with self._http.stream(
                    "GET", calls.events(run), headers=position.headers, timeout=READ_TIMEOUT
                ) as response:
                    if not response.is_success:
                        response.read()
                        raise PrismApiError.of(response)
                    for message in EventSource(response).iter_sse():
                        if event := position.take(message):
                            yield event
            except (httpx.TransportError, SSEError) as error:
                broken = error
            if not position.ended:
                time.sleep(position.broken(broken))

    def pause(self, run: str, *, by: str = "", reason: str = "") -> Accepted:
        """Start no further row."""
        return self.send(calls.steer(run, "pause", {"by": by, "reason": reason}))

    def resume(self, run: str, *, by: str = "", reason: str = "") -> Accepted:
        """Start rows again."""
        return self.send(calls.steer(run, "resume", {"by": by, "reason": reason}))

    def cancel(self, run: str) -> Accepted:
        """Cancel a run with all its rows."""
        return self.send(calls.steer(run, "cancel", {}))

    def retry(self, run: str, rows: Sequence[str] = ()) -> Accepted:
        """Run rows again that ended without success, and what they blocked; all of them when none is named."""
        return self.send(calls.steer(run, "retry", calls.selection(rows)))

    def skip(self, run: str, rows: Sequence[str]) -> Accepted:
        """End rows that were not started."""
        return self.send(calls.steer(run, "skip", {"rows": list(rows)}))

    def concurrency(self, run: str, limit: int) -> Accepted:
        """Change how many rows are under way at once."""
        return self.send(calls.steer(run, "concurrency", {"limit": limit}))

    def verify(self, run: str | None = None, row: str | None = None, *, envelope: str | None = None) -> Verification:
        """Return what a row's envelope, or one named by its digest, proves."""
        return self.send(calls.verify(run, row, envelope))

    def public_key(self) -> bytes:
        """Return the key that verifies this installation's envelopes, in PEM."""
        return self.send(calls.public_key())

    def notifications(
        self, *, recipient: str = "", run: str = "", limit: int = 100, mine: bool = False, unread: bool = False
    ) -> list[NotificationView]:
        """Return notifications, newest first: with ``mine`` one's own, with ``unread`` what was not seen."""
        return self.send(calls.notifications(recipient, run, limit, mine=mine, unread=unread))

    def mark_notifications_read(self, keys: Sequence[str] = ()) -> int:
        """Mark notifications as read, those named or all of one's own; return how many had not been."""
        return self.send(calls.mark_notifications_read(keys))

    def artifact(self, digest: str) -> bytes:
        """Return an artifact's bytes, checked against their digest."""
        return self.send(calls.artifact(digest))

    def stream(self, call: Call[bytes]) -> Iterator[bytes]:
        """Yield the bytes of an answer as they arrive."""
        try:
            with self._http.stream(call.method, call.path, **call.options) as response:
                if not response.is_success:
                    response.read()
                    raise PrismApiError.of(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise PrismApiError.unreachable(self.url, error) from error

    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request of :mod:`api.client.calls`."""
        for attempt in range(1, calls.ATTEMPTS + 1):
            try:
                return call.read(self._http.request(call.method, call.path, **call.options))
            except httpx.TransportError as error:
                if not calls.repeated(call, error, attempt):
                    raise PrismApiError.unreachable(self.url, error) from error
        raise AssertionError("the last attempt returns or raises")
