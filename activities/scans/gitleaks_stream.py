"""Deciding quickly that a text is clean, with one gitleaks that keeps running.

Starting gitleaks costs about half a second of processor time, scanning a text well under a millisecond.
``gitleaks stdin --verbose`` scans what it is given at once and prints each finding. After each text we send
two made-up tokens, each of them random and the second only once the first was reported. gitleaks takes its
input strictly in order, so once it reports the second it has reported all there is in the text; a text is
clean when nothing but the two tokens was reported. No answer, or any other, is never clean.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import string
from typing import Final

from activities.scans.contracts import ScannerFailed
from activities.scans.gitleaks_process import Gitleaks, end

MAX_STREAM_BYTES: Final = 48 * 1024
"""A text up to this size fits an empty pipe, so one write is one read: gitleaks never sees half a text."""
_PIPE_BYTES: Final = 64 * 1024
_TEXTS_PER_PROCESS: Final = 2_000
"""gitleaks remembers each finding until it ends: a fresh process now and then bounds its memory."""
_ALPHABET: Final = string.ascii_letters + string.digits
_FINDING: Final = b"RuleID:"


class GitleaksStream:
    """One running gitleaks, given one text at a time.

    Args:
        gitleaks: The binary.
        seconds: Longest one text may take, the start of the process included.
    """

    def __init__(self, gitleaks: Gitleaks, seconds: float) -> None:
        self._gitleaks = gitleaks
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._errors: asyncio.Task[None] | None = None
        self._input = -1
        self._texts = 0

    async def is_clean(self, text: str) -> bool:
        """Tell whether gitleaks, shown this text, reports nothing.

        Raises:
            ScannerFailed: gitleaks could not be run, died, or did not answer in time.
        """
        async with self._lock:
            process = await self._running()
            try:
                async with asyncio.timeout(self._seconds):
                    first = await self._ask(process, f"{text}\n\n\n")
                    second = await self._ask(process, "")
            except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
                await self._stop()
                raise ScannerFailed(f"gitleaks gave no answer ({type(fault).__name__})") from None
            except BaseException:
                await self._stop()
                raise
            self._texts += 1
            return first == 1 and second == 1

    async def close(self) -> None:
        """End the process."""
        async with self._lock:
            await self._stop()

    async def _ask(self, process: asyncio.subprocess.Process, text: str) -> int:
        """Send a text and a token; return how many findings came up to the token's, which counts."""
        assert process.stdout is not None  # noqa: S101 -- started with a pipe
        token = "ghp_" + "".join(secrets.choice(_ALPHABET) for _ in range(36))
        data = f"{text}{token}\n\n\n".encode(errors="replace")
        if os.write(self._input, data) != len(data):
            raise BrokenPipeError
        found, seen = 0, False
        while True:
            line = await process.stdout.readuntil(b"\n")
            if line.startswith(_FINDING):
                found += 1
                if seen:
                    return found
            seen = seen or (line.startswith(b"Secret:") and token.encode() in line)

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and process.returncode is None and self._texts < _TEXTS_PER_PROCESS:
            return process
        await self._stop()
        source, self._input = os.pipe2(os.O_CLOEXEC)
        try:
            # The pipe is empty whenever we write, and large enough: a write that would block is a fault.
            os.set_blocking(self._input, False)
            if fcntl.fcntl(self._input, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
                fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = await self._gitleaks.start("stdin", "--verbose", stdin=source)
        except OSError as fault:
            raise ScannerFailed(f"no pipe to gitleaks: {fault.strerror}") from fault
        finally:
            os.close(source)
        self._errors = asyncio.create_task(_drain(self._process))
        self._texts = 0
        return self._process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        errors, self._errors = self._errors, None
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        if process is not None:
            await end(process)
        if errors is not None:
            errors.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await errors


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read and drop standard error, so that gitleaks never blocks on it."""
    assert process.stderr is not None  # noqa: S101 -- started with pipes
    while await process.stderr.read(65_536):
        pass
