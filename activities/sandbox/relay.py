"""Reading what the launcher tells: the program's output, its files, and how it ended. None of it is trusted."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, Final

from activities.artifacts.files import path_problem
from activities.sandbox.capture import Capture
from activities.sandbox.contracts import Execution, ExecutionResult, Limits
from activities.sandbox.endings import Ending, reason_of
from activities.sandbox.launcher import FILES, REPORT
from activities.sandbox.workspace import INPUTS
from catalogs.file_patterns import pattern_expression

_LONGEST_LINE: Final = 64 * 1024
_HEADER_BYTES: Final = 8 * 1024
_NOT_HANDED_OVER: Final = "they were not handed over whole"


class Relay:
    """Takes the launcher's lines as they come.

    Args:
        limits: How much of each stream is kept.
        heard: Takes what the program prints as it comes.
    """

    def __init__(self, limits: Limits, heard: Callable[[bytes], None] | None = None) -> None:
        self.stdout, self.stderr = (Capture(limits.output_bytes, heard) for _ in range(2))
        self.report: dict[str, Any] = {}
        self.other = ""
        self.files = bytearray()
        self._files_room = limits.workspace_bytes + limits.workspace_files * _HEADER_BYTES
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take what came next; a line that has not ended waits."""
        self._pending += chunk
        *lines, rest = self._pending.split(b"\n")
        self._pending = rest[-_LONGEST_LINE:]
        for line in lines:
            self._line(bytes(line))

    @property
    def last_line(self) -> str:
        """The end of what is not the launcher's, such as the fault of a Python that cannot run it."""
        return self.other or self._pending.decode(errors="replace")[:300]

    def _line(self, line: bytes) -> None:
        number, _, encoded = line.partition(b" ")
        try:
            content = base64.b64decode(encoded, validate=True)
            if int(number) == REPORT:
                self.report = json.loads(content)
            elif int(number) == FILES:
                self.files += content[: self._files_room - len(self.files)]
            else:
                {1: self.stdout, 2: self.stderr}[int(number)].feed(content)
        except (ValueError, KeyError, binascii.Error):
            self.other = line.decode(errors="replace")[:300]


def result_of_report(relay: Relay, execution: Execution, *, oom_kills: int = 0) -> ExecutionResult:
    """Return how a program ended whose launcher reported to its end.

    Args:
        relay: What the launcher told.
        execution: What was run.
        oom_kills: What was seen from outside of processes killed for want of memory.
    """
    report, limits = relay.report, execution.limits
    ending = Ending(
        exit_code=report["exit_code"],
        seconds=report["seconds"],
        overran=report["overran"],
        oom_kills=report["oom_kills"] + oom_kills,
        last_errors=report["last_errors"],
    )
    files, unkept = kept_files(relay, execution)
    return ExecutionResult(
        reason=reason_of(ending, limits),
        exit_code=None if ending.overran else ending.exit_code,
        stdout=relay.stdout.text,
        stderr=relay.stderr.text,
        truncated=bool(report.get("truncated")),
        seconds=ending.seconds,
        files=files,
        unkept=unkept,
    )


def kept_files(relay: Relay, execution: Execution) -> tuple[dict[str, bytes], str]:
    """Return the files that a program left and that are kept, or why none are."""
    report, workspace = relay.report, execution.workspace
    if workspace is None or report.get("exit_code") != 0:
        return {}, ""
    if "unkept" in report:
        return {}, str(report["unkept"])[:1_000]
    files: dict[str, bytes] = {}
    wanted = re.compile(pattern_expression(workspace.keep))
    data, place = bytes(relay.files), 0
    try:
        while place < len(data):
            end = data.index(b"\n", place, place + _HEADER_BYTES)
            header = json.loads(data[place:end])
            path, place = str(header["path"]), end + 1 + int(header["size"])
            if path in files or path_problem(path) or path.startswith(f"{INPUTS}/") or not wanted.fullmatch(path):
                return {}, _NOT_HANDED_OVER
            files[path] = data[end + 1 : place]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}, _NOT_HANDED_OVER
    whole = place == len(data) and report.get("files") == len(files) and _is_a_tree(files)
    fits = len(files) <= execution.limits.workspace_files and place <= len(data)
    return (files, "") if whole and fits else ({}, _NOT_HANDED_OVER)


def _is_a_tree(files: dict[str, bytes]) -> bool:
    """Tell whether no file is where another one has its folder."""
    folders = {path[:place] for path in files for place, letter in enumerate(path) if letter == "/"}
    return folders.isdisjoint(files)
