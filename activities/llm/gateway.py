"""The model gateway: the process that holds the connections to vendors, so that no killed worker loses an answer.

A worker asks over a Unix socket. Calls are single-flight by idempotency key: whoever asks again, joins. An answer
is in the ledger before anyone hears it, also when whoever asked is gone.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.llm.contracts import CallLedger, ModelAnswer, ModelRequest
from activities.llm.router import LitellmCompletion
from temporal.errors import PrismError
from temporal.names import ErrorCode

log = logging.getLogger("prism.gateway")

# Calls in flight at a stop are paid for: they may end.
DRAIN_SECONDS = 30


class Gateway:
    """Makes model calls once per key.

    Args:
        router: Makes the calls.
        ledger: Keeps the answers.
    """

    def __init__(self, router: LitellmCompletion, ledger: CallLedger) -> None:
        self._router = router
        self._ledger = ledger
        self._in_flight: dict[str, asyncio.Task[ModelAnswer]] = {}

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the answer of a key: from the ledger, from the call in flight, or by a new call."""
        key = request.step.key
        task = self._in_flight.get(key)
        if task is None:
            task = asyncio.create_task(self._call(key, request))
            self._in_flight[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        # Whoever asked may hang up; the call goes on and its answer is kept.
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the calls in flight, for a while."""
        if self._in_flight:
            await asyncio.wait(set(self._in_flight.values()), timeout=DRAIN_SECONDS)

    async def _call(self, key: str, request: ModelRequest) -> ModelAnswer:
        paid = await self._ledger.begin(key, request.group)
        if paid is not None:
            return paid.model_copy(update={"replayed": True})
        return await self._ledger.record(key, await self._router.complete(request))

    def _landed(self, key: str, task: "asyncio.Task[ModelAnswer]") -> None:
        del self._in_flight[key]
        # A fault nobody waits for any more is no news: the next attempt meets it again.
        if not task.cancelled() and task.exception() is not None:
            log.info("call %s failed: %s", key, task.exception())


def build_gateway(router: LitellmCompletion, ledger: CallLedger) -> Starlette:
    """Return the gateway's ASGI application."""
    gateway = Gateway(router, ledger)

    async def complete(request: Request) -> Response:
        try:
            asked = ModelRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return _envelope(ErrorCode.VALIDATION_FAILED, str(error), status=422)
        try:
            answer = await gateway.complete(asked)
        except PrismError as error:
            return _envelope(error.code, error.message, status=502, retryable=error.retryable, details=error.details)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "loaded": router.loaded})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        router.load()
        yield
        await gateway.drain()

    routes = [Route("/v1/complete", complete, methods=["POST"]), Route("/healthz", health)]
    return Starlette(routes=routes, lifespan=lifespan)


async def serve_gateway(app: Starlette, path: Path) -> None:
    """Serve the gateway on a Unix socket that only this user can open, until SIGTERM or SIGINT."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=60,
    )
    try:
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _envelope(
    code: ErrorCode,
    message: str,
    *,
    status: int,
    retryable: bool = False,
    details: dict[str, object] | None = None,
) -> Response:
    error = {"code": code.value, "message": message, "retryable": retryable, "details": details or {}}
    return JSONResponse({"error": error}, status_code=status)
