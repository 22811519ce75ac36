"""Programs in containers of a Docker engine: no network, nothing writable but memory, nobody's user."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from activities.sandbox.capture import Capture
from activities.sandbox.container import INTERPRETERS, LABEL, UNTIL, container_config, host_config, input_of, spare_user
from activities.sandbox.contracts import Execution, ExecutionResult, SandboxUnavailable
from activities.sandbox.endings import Ending, reason_of
from activities.sandbox.relay import Relay, result_of_report

Result = TypeVar("Result")

log = logging.getLogger("prism.sandbox")

# A frame of an attached stream: which stream, three bytes of nothing, its length.
# https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
_HEADER_BYTES: Final = 8
_STDERR: Final = 2
_UNIX: Final = "unix://"
# What an engine on a loaded machine takes to make or to remove a container.
_ANSWER_SECONDS: Final = 30.0
_SETTLE_SECONDS: Final = 5.0
# What a launcher takes to lay files before a program's time begins, and to hand them out after.
_HAND_OVER_SECONDS: Final = 20.0
# Beyond its own time nobody waits for a container any more: its worker is gone.
_GRACE_SECONDS: Final = 120.0
_SWEEP_SECONDS: Final = 60.0
# Of the shell that starts a program, where it finds no interpreter; a program may choose the same.
_NO_INTERPRETER: Final = 124


class SandboxMisconfigured(SandboxUnavailable):
    """The engine refuses these settings; trying again cannot help."""

    retryable = False


class DockerSandbox:
    """Runs each program in a container of its own.

    Making a container takes about half a second. Calls to the engine end after 30 s and are not repeated here: that is
    the workflow's business, and a program has no effect outside its container. An image that is not there and a runtime
    that the engine does not know are final.

    Args:
        image: Has bash, coreutils and the interpreters ``python3`` and ``node``.
        host: The engine's address: ``unix://…`` or ``tcp://…``.
        runtime: OCI runtime, such as ``runsc``; empty for the engine's default.
    """

    def __init__(self, image: str, host: str = "unix:///var/run/docker.sock", runtime: str = "") -> None:
        self._image = image
        self._host = host
        self._runtime = runtime
        self._client: APIClient | None = None
        self._swept = 0.0

    async def execute(self, execution: Execution) -> ExecutionResult:
        """Run a program to its end or its limits; a cancelled call kills it.

        Raises:
            SandboxUnavailable: The program could not be started in isolation.
        """
        given = input_of(execution)
        engine = await self._connected()
        await self._sweep(engine)
        # The engine finishes what it was asked to do, whoever goes away meanwhile: so does this, and clears away after.
        making = asyncio.ensure_future(self._call(self._create, engine, execution))
        running: asyncio.Future[ExecutionResult] | None = None
        try:
            container = await asyncio.shield(making)
            running = asyncio.ensure_future(self._run(engine, container, execution, given))
            return await asyncio.shield(running)
        finally:
            await asyncio.shield(self._cleared(engine, making, running))

    async def _cleared(
        self, engine: APIClient, making: asyncio.Future[str], running: asyncio.Future[ExecutionResult] | None
    ) -> None:
        """Remove a container, with which a program that still runs ends."""
        with contextlib.suppress(SandboxUnavailable):
            await self._removed(engine, await making)
            if running is not None:
                await running

    async def _connected(self) -> APIClient:
        if self._client is None:
            self._client = await self._call(_connect, self._host)
        return self._client

    def _create(self, engine: APIClient, execution: Execution, command: list[str] | None = None) -> str:
        until = int(time.time() + execution.limits.wall_seconds + _GRACE_SECONDS)
        user = spare_user()
        isolation = engine.create_host_config(**host_config(execution, user, self._runtime))
        settings = container_config(execution, self._image, user, until) | ({"command": command} if command else {})
        made = engine.create_container(**settings, host_config=isolation)
        return str(made["Id"])

    async def _run(self, engine: APIClient, container: str, execution: Execution, given: bytes) -> ExecutionResult:
        limits = execution.limits
        output, errors = (Capture(limits.output_bytes, execution.heard) for _ in range(2))
        relay = Relay(limits, execution.heard) if execution.workspace is not None else None
        stream = await self._call(self._attach, engine, container)
        reader, writer = await asyncio.open_connection(sock=stream)
        feeding = asyncio.ensure_future(_feed(writer, given))
        listening = asyncio.ensure_future(_listen(reader, relay or output, errors))
        overran = False
        try:
            await self._call(engine.start, container)
            try:
                async with asyncio.timeout(limits.wall_seconds + (_HAND_OVER_SECONDS if relay else 0.0)):
                    await asyncio.shield(listening)
                    await self._ended(engine, container)
            except TimeoutError:
                overran = True
                await self._kill(engine, container)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listening, _SETTLE_SECONDS)
        finally:
            feeding.cancel()
            listening.cancel()
            writer.close()
        state = (await self._call(engine.inspect_container, container))["State"]
        if relay is not None and (ended := self._reported(relay, execution, state)):
            return ended
        if state["ExitCode"] == _NO_INTERPRETER and not overran:
            await self._check_interpreter(engine, execution)
        return _result(state, execution, relay.stdout if relay else output, errors, overran=overran)

    def _reported(self, relay: Relay, execution: Execution, state: dict[str, Any]) -> ExecutionResult | None:
        """Return what the launcher told of a program's end; nothing where it was ended before.

        Raises:
            SandboxMisconfigured: It could not start the program.
        """
        if fault := relay.report.get("fault"):
            raise SandboxMisconfigured(f"the image {self._image} cannot run {execution.language}: {fault}")
        if "exit_code" not in relay.report:
            return None
        return result_of_report(relay, execution, oom_kills=int(bool(state.get("OOMKilled"))))

    async def _check_interpreter(self, engine: APIClient, execution: Execution) -> None:
        """Tell whether the image has what a language needs.

        Raises:
            SandboxMisconfigured: It has not.
        """
        name = INTERPRETERS[execution.language]
        command = ["bash", "-c", 'type -P "$0" >/dev/null', name]
        container = await self._call(lambda: self._create(engine, execution, command))
        try:
            await self._call(engine.start, container)
            ended = await self._call(lambda: engine.wait(container, timeout=_ANSWER_SECONDS))
        finally:
            await asyncio.shield(self._removed(engine, container))
        if ended["StatusCode"]:
            raise SandboxMisconfigured(f"the image {self._image} has no {name}, which {execution.language} needs")

    async def close(self) -> None:
        """Let go of the engine."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    @staticmethod
    def _attach(engine: APIClient, container: str) -> socket.socket:
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        stream = engine.attach_socket(container, params=wanted)
        # The SDK hands out a file around the socket, which cannot be half closed.
        inner: socket.socket = stream._sock  # noqa: SLF001 -- see above
        attached = inner.dup()
        attached.setblocking(False)
        stream.close()
        inner.close()
        return attached

    async def _ended(self, engine: APIClient, container: str) -> None:
        """Wait for the end: the streams end just before the process does."""
        await self._call(lambda: engine.wait(container, timeout=_ANSWER_SECONDS))

    async def _kill(self, engine: APIClient, container: str) -> None:
        with contextlib.suppress(SandboxUnavailable):  # it ended by itself just now
            await self._call(engine.kill, container)
        await self._ended(engine, container)

    async def _removed(self, engine: APIClient, container: str) -> None:
        def remove() -> None:
            with contextlib.suppress(NotFound):
                engine.remove_container(container, force=True, v=True)

        try:
            await self._call(remove)
        except SandboxUnavailable as fault:
            # Whoever sweeps next removes it.
            log.warning("container %s was not removed: %s", container[:12], fault.message)

    async def _sweep(self, engine: APIClient) -> None:
        """Remove containers whose worker died and left them behind, whoever it was."""
        if time.monotonic() - self._swept < _SWEEP_SECONDS and self._swept:
            return
        self._swept = time.monotonic()
        for one in await self._call(lambda: engine.containers(all=True, filters={"label": LABEL})):
            if int(one["Labels"].get(UNTIL, 0)) < time.time():
                await self._removed(engine, one["Id"])

    async def _call(self, work: Callable[..., Result], *given: Any) -> Result:  # noqa: ANN401 -- the SDK has no types
        try:
            return await asyncio.to_thread(work, *given)
        except ImageNotFound as fault:
            raise SandboxMisconfigured(
                f"the engine has no image {self._image}: build or pull it, or name another in PRISM_SANDBOX_IMAGE"
            ) from fault
        except APIError as fault:
            refused = fault.status_code is not None and fault.status_code < requests.codes.server_error
            kind = (
                SandboxMisconfigured if refused and fault.status_code != requests.codes.conflict else SandboxUnavailable
            )
            raise kind(f"the Docker engine refused: {fault.explanation or fault}") from fault
        except (DockerException, requests.RequestException, OSError) as fault:
            why = f" ({fault.strerror})" if isinstance(fault, OSError) and fault.strerror else ""
            raise SandboxUnavailable(
                f"the Docker engine at {self._host} does not answer{why}: is it running, and may this user reach it?"
            ) from fault


def _connect(host: str) -> APIClient:
    # The SDK tells of a socket that it cannot open by an exception within four others, and leaves it to the collector.
    if host.startswith(_UNIX):
        with socket.socket(socket.AF_UNIX) as tried:
            tried.connect(host.removeprefix(_UNIX))
    return APIClient(base_url=host, version="auto", timeout=_ANSWER_SECONDS)


async def _feed(writer: asyncio.StreamWriter, given: bytes) -> None:
    """Write all there is; a program that reads none of it, or ends before, is no fault."""
    with contextlib.suppress(ConnectionError):
        writer.write(given)
        await writer.drain()
        writer.write_eof()


async def _listen(reader: asyncio.StreamReader, output: Capture | Relay, errors: Capture) -> None:
    """Read to the end, so that the program never blocks, and keep what fits."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            header = await reader.readexactly(_HEADER_BYTES)
            capture = errors if header[0] == _STDERR else output
            left = int.from_bytes(header[4:], "big")
            while left:
                chunk = await reader.read(left)
                if not chunk:
                    return
                capture.feed(chunk)
                left -= len(chunk)


def _result(
    state: dict[str, Any], execution: Execution, output: Capture, errors: Capture, *, overran: bool
) -> ExecutionResult:
    code = int(state["ExitCode"])
    seconds = (_moment(state["FinishedAt"]) - _moment(state["StartedAt"])).total_seconds()
    ending = Ending(code, seconds, overran, int(bool(state.get("OOMKilled"))), errors.last)
    return ExecutionResult(
        reason=reason_of(ending, execution.limits),
        exit_code=None if overran else code,
        stdout=output.text,
        stderr=errors.text,
        truncated=output.truncated or errors.truncated,
        seconds=round(seconds, 3),
    )


def _moment(text: str) -> datetime:
    """Return a moment of Docker's, which has nine decimals."""
    return datetime.fromisoformat(text[:19] + "+00:00").replace(
        microsecond=int(text[20:].rstrip("Z")[:6].ljust(6, "0") or 0)
    )
