"""The gateway's socket: one gateway at a time, and only its owner can open it."""

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode

# sun_path of Linux less its closing NUL; macOS takes four less.
LONGEST_PATH_BYTES: Final = 107
_POLL_SECONDS: Final = 0.1


class GatewayRunning(PrismError):
    """Another gateway serves this socket; two would not see each other's calls in flight."""

    code = ErrorCode.ALREADY_RUNNING


class BadSocketPath(InvalidSettings):
    """The system cannot bind a socket at this path."""


@asynccontextmanager
async def listening(path: Path, patience: float) -> AsyncIterator[socket.socket]:
    """Hold the socket's lock and a listener on it.

    A gateway that is draining holds the lock until its calls are recorded, so its successor finds them in the
    ledger instead of paying again.

    Args:
        path: The socket.
        patience: How long to wait for another gateway to end, in seconds.

    Raises:
        GatewayRunning: It did not end.
        BadSocketPath: The path is longer than the system takes.
    """
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        message = f"the gateway's socket {path} is longer than {LONGEST_PATH_BYTES} bytes; set PRISM_GATEWAY_SOCKET"
        raise BadSocketPath(message, path=str(path))
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        await _locked(lock, path, patience)
        listener = _listener(path)
        try:
            yield listener
        finally:
            _close(listener, path)


async def _locked(lock: IO[str], path: Path, patience: float) -> None:
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise GatewayRunning(f"another gateway serves {path}; stop it first", path=str(path)) from None
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


def _listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Bound under a closed umask: no moment at which others could connect.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _close(listener: socket.socket, path: Path) -> None:
    listener.close()
    path.unlink(missing_ok=True)
