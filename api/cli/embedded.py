"""The embedded system for the length of one command: started as ``prism up`` on free ports, stopped afterwards."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from api.cli.session import Session, own_token
from api.client import PrismApiError
from temporal.errors import PrismError
from temporal.names import ErrorCode
from workers.settings import Settings

# The parts wait for each other up to a minute each; the model gateway imports for ten seconds.
START_SECONDS = 180.0
# The gateway finishes the calls it was paid for before it ends (30 s), then come the others.
STOP_SECONDS = 75.0
POLL_SECONDS = 0.1
TAIL_LINES = 20
PORTS = {
    "api_port": "PRISM_API_PORT",
    "temporal_port": "PRISM_TEMPORAL_PORT",
    "temporal_ui_port": "PRISM_TEMPORAL_UI_PORT",
}

Report = Callable[[str], None]


class SystemFailed(PrismError):
    """The embedded system did not come up, or went down."""

    code = ErrorCode.PART_FAILED


class EmbeddedSystem:
    """``prism up`` as a child process.

    Args:
        session: The command's session.
        report: Takes what happens, for the person at the terminal.

    Attributes:
        session: The session with what the started system asks for.
    """

    def __init__(self, session: Session, report: Report) -> None:
        self._report = report
        self.settings = _with_free_ports(session.settings)
        self.session = dataclasses.replace(session, settings=self.settings)
        self.log = self.settings.home.resolve() / "logs" / "up.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.settings.console_url

    def __enter__(self) -> Self:
        # Ended politely, this command stops what it started, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Check that it still runs.

        Raises:
            SystemFailed: It has ended.
        """
        code = self._process.poll() if self._process else None
        if code is not None:
            raise SystemFailed(f"prism up ended with exit code {code}:\n{self._tail()}", log=str(self.log))

    def stop(self) -> None:
        """Stop it and wait until it has ended."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ports = {variable: str(getattr(self.settings, name)) for name, variable in PORTS.items()}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli.main", "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ports, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C is this command's to handle; it stops the system in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        with self.session.client(self.url) as client:
            while time.monotonic() < deadline:
                self.check()
                self._report(self._stage())
                try:
                    if client.ready().status == "ok" and self._lets_in():
                        return
                except PrismApiError as error:
                    if error.code is not ErrorCode.API_UNREACHABLE:
                        raise
                time.sleep(POLL_SECONDS)
        raise SystemFailed(f"prism up was not ready within {START_SECONDS:.0f} s:\n{self._tail()}", log=str(self.log))

    def _lets_in(self) -> bool:
        """Return whether the system has left what this command needs to be let in."""
        settings = self.settings
        return settings.auth == "off" or settings.api_token is not None or own_token(settings, self.url) is not None

    def _stage(self) -> str:
        """Return which part is starting, as seen from outside."""
        if self.settings.embedded and not _listens(("127.0.0.1", self.settings.temporal_port)):
            return "starting Temporal"
        if not _listens(str(self.settings.socket)):
            return "starting the model gateway (its libraries take about ten seconds to load)"
        return "starting the worker and the API"

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _with_free_ports(settings: Settings) -> Settings:
    """Return the settings with other ports where defaults are taken; a port that was asked for stays."""
    wanted = [name for name in PORTS if name == "api_port" or settings.embedded]
    taken = {
        name: _free_port()
        for name in wanted
        if name not in settings.model_fields_set and not _bindable(getattr(settings, name))
    }
    return settings.model_copy(update=taken)


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(address: tuple[str, int] | str) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    if isinstance(address, str) and not Path(address).exists():
        return False
    with socket.socket(family) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(address) == 0
