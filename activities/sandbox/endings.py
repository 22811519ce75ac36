"""Telling why a program ended from what the outside can see."""

import os
import signal
from dataclasses import dataclass
from typing import Final

from activities.sandbox.contracts import ExitReason, Limits

SIGNAL_BASE: Final = 128
"""A program that a signal ended has, as in the shell, the exit code 128 + signal."""
_LAST_SIGNAL: Final = 64
_LAST_LINES: Final = 60  # V8 writes a native stack after its message
_MEMORY_MESSAGES: Final = ("MemoryError", "heap out of memory", "Cannot allocate memory", "out of memory")


@dataclass(frozen=True)
class Ending:
    """What was seen of a program's end.

    Args:
        exit_code: The program's exit code, 128 + signal when a signal ended it.
        seconds: How long it ran by the wall clock.
        overran: Whether we killed it because its time was up.
        oom_kills: How many of its processes the kernel killed for want of memory.
        last_errors: The end of what it wrote to standard error.
    """

    exit_code: int
    seconds: float
    overran: bool = False
    oom_kills: int = 0
    last_errors: str = ""


def reason_of(ending: Ending, limits: Limits) -> ExitReason:
    """Return why a program ended.

    Two things cannot be told apart from outside. An exit code above 128 that the program chose itself
    looks like a signal. A failed allocation only shows in the program's own last words and a non-zero
    exit code, which it could also make up; memory limits enforced by a control group are certain.
    """
    if ending.overran:
        return ExitReason.TIMEOUT
    if ending.exit_code == 0:
        return ExitReason.OK
    if ending.oom_kills or _says_out_of_memory(ending.last_errors):
        return ExitReason.OUT_OF_MEMORY
    ended_by = ending.exit_code - SIGNAL_BASE
    if ended_by in {signal.SIGXCPU, signal.SIGKILL} and _may_have_used(limits.cpu_seconds, ending.seconds):
        return ExitReason.TIMEOUT
    if 0 < ended_by <= _LAST_SIGNAL:
        return ExitReason.KILLED
    return ExitReason.ERROR


def _says_out_of_memory(last_errors: str) -> bool:
    lines = last_errors.strip().splitlines()[-_LAST_LINES:]
    return any(message in line for line in lines for message in _MEMORY_MESSAGES)


def _may_have_used(cpu_seconds: int, seconds: float) -> bool:
    """Tell whether a process can have used that much processor time in a time by the wall clock."""
    return seconds * (os.cpu_count() or 1) >= cpu_seconds
