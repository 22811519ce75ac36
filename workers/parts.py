"""The parts of the embedded system: each is a process with a log file, restarted when it dies."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporal.errors import PrismError
from temporal.names import ErrorCode

READY_SECONDS = 60.0
STOP_SECONDS = 12.0
POLL_SECONDS = 0.1
FIRST_RESTART_SECONDS = 0.25
LAST_RESTART_SECONDS = 10.0
# A part that has lived this long was healthy: its next restart is quick again.
HEALTHY_SECONDS = 30.0
TAIL_LINES = 12
_PR_SET_PDEATHSIG = 1


class PartFailed(PrismError):
    """A part of the embedded system did not come up."""

    code = ErrorCode.PART_FAILED


@dataclass
class Part:
    """One process of the embedded system.

    Args:
        name: What people call it.
        command: Its command line.
        ready: Answers whether it serves now.
        log: File its output goes to.
        environment: Its environment.
        stop_seconds: How long it may take to end when asked to.
    """

    name: str
    command: list[str]
    ready: Callable[[], Awaitable[bool]]
    log: Path
    environment: Mapping[str, str]
    stop_seconds: float = STOP_SECONDS
    process: asyncio.subprocess.Process | None = field(default=None, init=False)
    restarts: int = field(default=0, init=False)

    async def start(self) -> None:
        """Start the process."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                # Ctrl-C goes to the supervisor alone, which stops its parts in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def wait_until_ready(self) -> None:
        """Wait until the part serves.

        Raises:
            PartFailed: It died or did not serve in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.returncode is not None:
                code = self.process.returncode if self.process else None
                raise PartFailed(f"{self.name} ended with exit code {code} while starting:\n{self.tail()}")
            if await self.ready():
                return
            await asyncio.sleep(POLL_SECONDS)
        raise PartFailed(f"{self.name} did not answer within {READY_SECONDS:.0f} s:\n{self.tail()}")

    async def keep_alive(self, report: Callable[[str], None]) -> None:
        """Start the process again whenever it dies, at growing intervals while it keeps dying."""
        delay = FIRST_RESTART_SECONDS
        while True:
            if self.process is None:
                return
            born = time.monotonic()
            code = await self.process.wait()
            if time.monotonic() - born > HEALTHY_SECONDS:
                delay = FIRST_RESTART_SECONDS
            self.restarts += 1
            report(f"{self.name} ended ({_told(code)}); starting it again")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_RESTART_SECONDS)
            await self.start()

    async def stop(self) -> None:
        """Ask the process to end, and end it when it does not."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.stop_seconds)
        except TimeoutError:
            process.kill()
            await process.wait()

    def tail(self) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _told(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _die_with_parent() -> None:
    """Have the kernel end this process when the supervisor is killed: no part is left holding a port."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
