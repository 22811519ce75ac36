"""``prism up``: starts the embedded system, keeps its parts alive, and stops them in order."""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
from pydantic import SecretStr
from temporalio.service import RPCError

from activities import private_file
from activities.llm.gateway import DRAIN_SECONDS
from temporal.client import TemporalUnavailable, connect, register_search_attributes
from temporal.dev_server import check_database, dev_server_command
from temporal.errors import PrismError
from temporal.names import ErrorCode
from workers.compose import Stores, open_stores
from workers.identity import first_link
from workers.parts import Part
from workers.settings import Settings

PROBE_SECONDS = 2.0


class PortInUse(PrismError):
    """A port the system needs is taken."""

    code = ErrorCode.PORT_IN_USE


class AlreadyRunning(PrismError):
    """Another ``prism up`` works on the same state."""

    code = ErrorCode.ALREADY_RUNNING


async def up(settings: Settings, report: Callable[[str], None] = print) -> int:
    """Run the embedded system until SIGINT or SIGTERM.

    Args:
        settings: Where state is kept and which ports are used.
        report: Takes lines for the person at the terminal.

    Returns:
        The process's exit code.

    Raises:
        AlreadyRunning: The state folder is in use.
        PortInUse: A port is taken.
        DatabaseCorrupt: A database file is damaged.
        PartFailed: A part did not come up.
    """
    home = settings.home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _lock(home / "up.lock"):
        check_surroundings(settings)
        # Later parts find the schema as they need it.
        stores = await asyncio.to_thread(open_stores, settings)
        settings = with_own_token(settings)
        parts = build_parts(settings)
        try:
            await _start(parts, settings, report, stop)
            if not stop.is_set():
                report(welcome(settings))
                await _invite(settings, stores, report)
                await _keep(parts, report, stop)
        finally:
            report("stopping")
            for part in reversed(parts):
                await part.stop()
            (home / "up.json").unlink(missing_ok=True)
            settings.own_token_file.unlink(missing_ok=True)
    report("stopped; the state of all runs is kept")
    return 0


def check_surroundings(settings: Settings) -> None:
    """Check ports and database files before anything is started.

    Raises:
        PortInUse: A port is taken.
        DatabaseCorrupt: A database file is damaged.
    """
    _check_port(settings.api_host, settings.api_port, "API and console", "PRISM_API_PORT")
    if settings.embedded:
        _check_port("127.0.0.1", settings.temporal_port, "Temporal", "PRISM_TEMPORAL_PORT")
        _check_port("127.0.0.1", settings.temporal_ui_port, "Temporal Web", "PRISM_TEMPORAL_UI_PORT")
        check_database(settings.home / "temporal.db")
    if settings.records_url.startswith("sqlite:///"):
        check_database(Path(settings.records_url.removeprefix("sqlite:///")))


def with_own_token(settings: Settings) -> Settings:
    """Return the settings with a token of the installation's own, which commands of the state's owner find beside it.

    It lasts as long as the system runs. Who can read the file can read the signing keys too.
    """
    if settings.auth == "off" or settings.api_token:
        return settings
    token = secrets.token_urlsafe(32)
    private_file.replace(settings.own_token_file, token.encode())
    return settings.model_copy(update={"api_token": SecretStr(token)})


def build_parts(settings: Settings) -> list[Part]:
    """Return the parts of the system, in the order in which they start."""
    logs = settings.home.resolve() / "logs"
    environment = {**os.environ, **_environment(settings)}
    python = [sys.executable, "-m"]

    def part(name: str, command: list[str], ready: Callable[[], Awaitable[bool]]) -> Part:
        return Part(name, command, ready, logs / f"{name}.log", environment)

    parts = []
    if settings.embedded:
        command = dev_server_command(
            settings.home.resolve() / "temporal.db",
            settings.temporal_port,
            settings.temporal_ui_port,
            settings.temporal_namespace,
            f"{settings.console_url}/api/v1/codec" if settings.encryption == "on" else "",
        )
        parts.append(part("temporal", command, lambda: _temporal_ready(settings)))
    parts.append(part("gateway", [*python, "workers.gateway"], lambda: _gateway_ready(settings)))
    parts[-1].stop_seconds = DRAIN_SECONDS + 5
    parts.append(part("worker", [*python, "workers.worker"], _at_once))
    parts.append(part("api", [*python, "api.serve"], lambda: _api_ready(settings)))
    return parts


def welcome(settings: Settings) -> str:
    """Return what a person needs to know once the system is up."""
    lines = [
        "Prism Console is up.",
        f"  Console       {settings.console_url}/",
        f"  API docs      {settings.console_url}/docs",
    ]
    if settings.web_url:
        lines.append(f"  Temporal Web  {settings.web_url}/")
    lines.append(f"  State         {settings.home.resolve()}")
    if settings.auth == "on":
        lines.append("People log in; commands of whoever may read the state need not.")
    lines.append("Ctrl-C stops it; runs go on where they were.")
    return "\n".join(lines)


async def _invite(settings: Settings, stores: Stores, report: Callable[[str], None]) -> None:
    """Show how the first administrator gets in; what is written into a file or a pipe says no secret."""
    if not sys.stdout.isatty():
        if settings.auth == "on":
            report("The first login: prism login-link, on this machine.")
    elif link := await first_link(settings, stores.engine):
        report(f"The first login, once and within a day: {link}")


async def _start(parts: list[Part], settings: Settings, report: Callable[[str], None], stop: asyncio.Event) -> None:
    # Side by side, as most of a start is imports: who needs another part waits for it by itself.
    for part in parts:
        report(f"starting {part.name}")
        await part.start()
    for part in parts:
        if stop.is_set():
            return
        await part.wait_until_ready()
    if not settings.embedded:
        await _register(settings, report)
    _write_state(settings, parts)


async def _register(settings: Settings, report: Callable[[str], None]) -> None:
    try:
        await register_search_attributes(await connect(settings.temporal))
    except RPCError as error:
        report(f"search attributes could not be registered ({error.message}); have an administrator do it")


async def _keep(parts: list[Part], report: Callable[[str], None], stop: asyncio.Event) -> None:
    keepers = [asyncio.create_task(part.keep_alive(report)) for part in parts]
    writer = asyncio.create_task(_follow_state(parts))
    await stop.wait()
    for task in (*keepers, writer):
        task.cancel()
    await asyncio.gather(*keepers, writer, return_exceptions=True)


async def _follow_state(parts: list[Part]) -> None:
    """Keep ``up.json`` true while parts are restarted."""
    home = parts[0].log.parent.parent
    known: list[int | None] = []
    while True:
        pids = [part.process.pid if part.process else None for part in parts]
        if pids != known:
            known = pids
            state = json.loads((home / "up.json").read_text())
            state["parts"] = dict(zip((part.name for part in parts), pids, strict=True))
            _replace(home / "up.json", state)
        await asyncio.sleep(PROBE_SECONDS / 4)


def _write_state(settings: Settings, parts: list[Part]) -> None:
    state = {
        "pid": os.getpid(),
        "api": settings.console_url,
        "temporal": settings.temporal.target,
        "web": settings.web_url,
        "parts": {part.name: part.process.pid if part.process else None for part in parts},
    }
    _replace(settings.home.resolve() / "up.json", state)


def _replace(path: Path, state: dict[str, object]) -> None:
    temporary = path.with_suffix(".writing")
    temporary.write_text(json.dumps(state, indent=2))
    temporary.replace(path)


def _environment(settings: Settings) -> dict[str, str]:
    """Return the settings as the parts' environment, wherever they came from."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    given["home"] = settings.home.resolve()
    values = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in given.items()
        if value is not None
    }
    return {f"PRISM_{name.upper()}": value for name, value in values.items()} | {"PYTHONUNBUFFERED": "1"}


async def _temporal_ready(settings: Settings) -> bool:
    try:
        client = await asyncio.wait_for(connect(settings.temporal), PROBE_SECONDS)
        return await client.service_client.check_health()
    except (TemporalUnavailable, TimeoutError, RPCError):
        return False


async def _gateway_ready(settings: Settings) -> bool:
    transport = httpx.AsyncHTTPTransport(uds=str(settings.socket))
    return await _answers("http://gateway/healthz", transport)


async def _api_ready(settings: Settings) -> bool:
    return await _answers(f"http://{settings.api_host}:{settings.api_port}/healthz", None)


async def _answers(url: str, transport: httpx.AsyncHTTPTransport | None) -> bool:
    try:
        async with httpx.AsyncClient(transport=transport, timeout=PROBE_SECONDS, trust_env=False) as client:
            return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False


async def _at_once() -> bool:
    return True


def _check_port(host: str, port: int, what: str, setting: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"port {port} for {what} is not free ({error.strerror}); stop what uses it or set {setting}",
                port=port,
                setting=setting,
            ) from error


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a state folder. The kernel frees it with its process, so it is never stale."""
    with path.open("a+") as file:
        _acquire(file, path)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _acquire(file: IO[str], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        raise AlreadyRunning(
            f"prism up already runs on {path.parent} (process {holder}); stop it or set PRISM_HOME",
            pid=holder,
        ) from None
