"""The model gateway: the process that holds the connections to vendors, so that no killed worker loses an answer.

A worker asks over a Unix socket. Calls are single-flight by idempotency key: whoever asks again, joins. An answer
is in the ledger before anyone hears it, also when whoever asked is gone. What it cannot help: a gateway that is
killed in the middle of a call asks again, and the ledger shows two starts, so the first may have been paid in vain.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.budgets.contracts import Allowances, SpendGuard
from activities.llm.answer_cache import AnswerCache
from activities.llm.contracts import CallLedger, ModelAnswer, ModelRequest, ModelUnavailable
from activities.llm.gateway_looks import envelope, looks
from activities.llm.gateway_socket import listening
from activities.llm.partial import PartialAnswers
from activities.llm.provider import LitellmProvider
from activities.llm.routing import Router
from temporal.errors import PrismError
from temporal.names import ErrorCode

log = logging.getLogger("prism.gateway")

# Calls in flight at a stop are paid for: they may end.
DRAIN_SECONDS = 30
# Between attempts to write an answer down while the records cannot take it.
FIRST_PAUSE_SECONDS = 0.1
LAST_PAUSE_SECONDS = 10.0


class Gateway:
    """Makes model calls once per key.

    Args:
        router: Makes the calls.
        ledger: Keeps the answers.
        guard: Stands before every call that costs money.
        cache: Answers calls that were answered before.
        drop_local: Cancels calls of the embedded model.
    """

    def __init__(
        self,
        router: Router,
        ledger: CallLedger,
        guard: SpendGuard,
        cache: AnswerCache,
        drop_local: Callable[[], None] = lambda: None,
    ) -> None:
        self._router = router
        self._cache = cache
        self._drop_local = drop_local
        self._ledger = ledger
        self._guard = guard
        self.partial = PartialAnswers()
        self._in_flight: dict[str, asyncio.Task[ModelAnswer]] = {}
        self._draining: asyncio.Task[None] | None = None

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the answer of a key: from the ledger, from the call in flight, or by a new call."""
        flight = f"{request.step.key}#{request.digest}"
        task = self._in_flight.get(flight)
        if task is None:
            task = asyncio.create_task(self._call(request))
            self._in_flight[flight] = task
            task.add_done_callback(lambda done: self._landed(flight, done))
        # Whoever asked may hang up; the call goes on and its answer is kept.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ModelUnavailable("the model gateway was stopped before the model answered") from None
            raise

    def drain(self) -> "asyncio.Task[None]":
        """Begin to stop, once: paid calls have ``DRAIN_SECONDS`` to land, free ones are dropped."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return self._draining

    async def _drain(self) -> None:
        self._drop_local()
        if not self._in_flight:
            return
        _, cut = await asyncio.wait(set(self._in_flight.values()), timeout=DRAIN_SECONDS)
        for task in cut:
            log.warning("a call was cut off by the stop and may have been paid in vain")
            task.cancel()
        if cut:
            await asyncio.wait(cut)

    async def _call(self, request: ModelRequest) -> ModelAnswer:
        key = request.step.key
        begun = await self._ledger.begin(request)
        if (paid := begun.answer) is not None:
            # Whoever was killed between writing down the answer and its price left the most it could have been.
            await self._guard.settle(request.step, paid.cost_usd)
            return paid.model_copy(update={"replayed": True})
        try:
            models = [one.name for one in self._router.answering(request)]
            answer = await self._cache.answered(request, models, lambda: self._reserved(request, begun.used))
        except PrismError:
            await self._ledger.ended(key)
            raise
        return await self._recorded(request, answer) if answer.cached_from else answer

    async def _reserved(self, request: ModelRequest, used: int) -> ModelAnswer:
        """Make the call with what it may cost set aside."""
        key = request.step.key
        counted = await self._guard.reserve(request.step, await self._router.most_usd(request))
        try:
            answer = await self._router.complete(request, used, self.partial.listener(key))
        except PrismError:
            if counted:
                await self._guard.release(request.step)
            raise
        finally:
            self.partial.forget(key)
        recorded = await self._recorded(request, answer)
        if counted:
            await self._settled(request, recorded)
        return recorded

    async def _settled(self, request: ModelRequest, answer: ModelAnswer) -> None:
        """Count the price; what cannot be counted now stays set aside, and the answer is not held back for it."""
        try:
            await self._guard.settle(request.step, answer.cost_usd)
        except PrismError:
            log.exception("what %s cost could not be counted; the most it could have been stays", request.step.key)

    async def _recorded(self, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        """Write an answer down, however long the records refuse: to let go of it would be to pay again."""
        key = request.step.key
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._ledger.record(request, answer)
            except Exception:
                log.exception("the answer of %s is paid and cannot be recorded; trying again in %.1f s", key, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)

    def _landed(self, flight: str, task: "asyncio.Task[ModelAnswer]") -> None:
        del self._in_flight[flight]
        # A fault nobody waits for any more is no news: the next attempt meets it again.
        if not task.cancelled() and task.exception() is not None:
            log.info("call %s failed: %s", flight, task.exception())


def build_gateway(
    provider: LitellmProvider,
    router: Router,
    ledger: CallLedger,
    guard: SpendGuard,
    cache: AnswerCache,
    allowances: Allowances,
) -> Starlette:
    """Return the gateway's ASGI application."""
    gateway = Gateway(router, ledger, guard, cache, provider.drop_local)

    async def complete(request: Request) -> Response:
        try:
            asked = ModelRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return envelope(ErrorCode.VALIDATION_FAILED, str(error), status=422)
        try:
            answer = await gateway.complete(asked)
        except PrismError as error:
            return envelope(error.code, error.message, status=502, retryable=error.retryable, details=error.details)
        return Response(answer.model_dump_json(), media_type="application/json")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        provider.load()
        yield
        await gateway.drain()
        await provider.aclose()

    routes = [
        Route("/v1/complete", complete, methods=["POST"]),
        *looks(provider, router, gateway.partial, cache, allowances),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.drain = gateway.drain
    return app


class GatewayServer(uvicorn.Server):
    """Begins the drain with the stop, not after the last asker has gone."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], object]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more calls; let those in flight land."""
        self._drain()
        await super().shutdown(sockets)
        # uvicorn would raise the signal again, and nothing after serve() would run.
        self._captured_signals.clear()


async def serve_gateway(app: Starlette, path: Path) -> None:
    """Serve the gateway on a Unix socket that only this user can open, until SIGTERM or SIGINT.

    Raises:
        GatewayRunning: Another gateway holds the socket and did not end in time.
        BadSocketPath: The path is longer than the system takes.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        # Never reached: the drain ends every call before.
        timeout_graceful_shutdown=DRAIN_SECONDS + 2,
        timeout_keep_alive=60,
    )
    async with listening(path, patience=DRAIN_SECONDS + 5) as listener:
        await GatewayServer(config, app.state.drain).serve(sockets=[listener])
