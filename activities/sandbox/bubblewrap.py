"""The embedded sandbox: bubblewrap, resource limits, control groups and a system call filter."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from activities.sandbox.capture import Capture
from activities.sandbox.cgroups import Cgroup, CgroupParents, find_parents
from activities.sandbox.contracts import Execution, ExecutionResult, SandboxUnavailable
from activities.sandbox.enclosure import (
    GIVEN,
    SEARCH_PATH,
    Descriptors,
    Tools,
    drop_root,
    enclose,
    find_tools,
    interpreter,
    own_python,
    program_path,
    secret_arguments,
)
from activities.sandbox.endings import SIGNAL_BASE, Ending, reason_of
from activities.sandbox.launching import LAUNCHER_BYTES, given_files, program_name
from activities.sandbox.relay import Relay, result_of_report
from activities.sandbox.seccomp import seccomp_filter

_CHUNK_BYTES: Final = 64 * 1024
_SETTLE_SECONDS: Final = 5.0
_OWN_PROCESSES: Final = 4
"""bubblewrap itself, its process 1 and the shell that starts it count against a control group too."""
_HAND_OVER_SECONDS: Final = 20.0
"""What a launcher takes to lay files before a program's time begins, and to hand them out after."""
_JOIN: Final = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 97; shift; done; shift; exec "$@"'
"""Joins the control groups named before ``--``, then becomes the command after it."""


class BubblewrapSandbox:
    """Runs a program that sees nothing of the host but /usr, has no network, and cannot use much.

    Without writable control groups (see :attr:`weaker`), memory is limited per process and not for all
    processes together.

    Args:
        bwrap: The bubblewrap binary; by default the one on the path.
        cgroups: Where control groups can be made; by default found from this process.
        python: Interpreter of Python programs; by default the one below this virtual environment.
        user_namespace: Give up root before bubblewrap starts, as if the worker were an ordinary user. By
            default a worker that is root lets bubblewrap be root, and each program a user of its own.
    """

    def __init__(
        self,
        *,
        bwrap: Path | None = None,
        cgroups: CgroupParents | None = None,
        python: Path | None = None,
        user_namespace: bool = False,
    ) -> None:
        self._bwrap = bwrap
        self._given_cgroups = cgroups
        self._python = python or own_python()
        self._is_root = os.geteuid() == 0
        self._own_user = self._is_root and not user_namespace
        self._tools: Tools | None = None
        self._parents = CgroupParents({})
        self._filter: bytes | None = None

    def weaker(self) -> tuple[str, ...]:
        """Return what this host cannot enforce, in words for an operator."""
        self._prepare()
        cgroup = self._parents.create(1 << 26, 16)
        try:
            limits = set(cgroup.folders) if cgroup else set()
        finally:
            if cgroup is not None:
                cgroup.remove()
        missing = []
        if not limits & {"", "memory"}:
            missing.append("memory is limited per process, not for all processes together (no memory cgroup)")
        if not limits & {"", "pids"}:
            missing.append("processes are counted by user, not by program (no pids cgroup)")
        if self._filter is None:
            missing.append("system calls are not filtered (no table for this machine)")
        return tuple(missing)

    async def execute(self, execution: Execution) -> ExecutionResult:
        """Run a program to its end or its limits; a cancelled call kills it.

        Raises:
            SandboxUnavailable: The program could not be started in isolation.
        """
        tools = self._prepare()
        given, command = self._given(execution)
        limits, launched = execution.limits, execution.workspace is not None
        own = LAUNCHER_BYTES if launched else 0
        cgroup = self._parents.create(limits.memory_bytes + own, limits.processes + _OWN_PROCESSES + launched)
        try:
            with ExitStack() as stack:
                stdin = stack.enter_context(_memory_file(execution.stdin.encode(errors="replace")))
                hidden = None if launched else secret_arguments(execution.environment)
                descriptors = Descriptors(
                    given={path: stack.enter_context(_memory_file(content)) for path, content in given.items()},
                    status=stack.enter_context(_memory_file(None)),
                    seccomp=stack.enter_context(_memory_file(self._filter)) if self._filter else None,
                    arguments=stack.enter_context(_memory_file(hidden)) if hidden else None,
                )
                arguments = enclose(
                    tools,
                    command,
                    limits,
                    execution.language,
                    descriptors=descriptors,
                    python=self._python,
                    own_user=self._own_user,
                    launched=launched,
                )
                if self._is_root and not self._own_user:
                    arguments = [*drop_root(tools), *arguments]
                starting = asyncio.ensure_future(_start(arguments, cgroup, stdin, descriptors.open))
                try:
                    process = await asyncio.shield(starting)
                except asyncio.CancelledError:
                    await _end(await starting, cgroup)
                    raise
                return await _attend(process, execution, cgroup, descriptors.status)
        finally:
            if cgroup is not None:
                await asyncio.shield(_clear(cgroup))

    def _given(self, execution: Execution) -> tuple[dict[str, bytes], list[str]]:
        """Return the files that are shown to a program, and its command line; one with files has a launcher."""
        command = interpreter(execution.language, execution.limits, self._python)
        if execution.workspace is None:
            place = program_path(execution.language)
            return {place: execution.code.encode(errors="replace")}, [*command, place]
        program = f"{GIVEN}/{program_name(execution.language)}"
        given = given_files(execution, [*command, program], SEARCH_PATH)
        launcher = [str(self._python), "-I", "-B", f"{GIVEN}/launcher.py", GIVEN]
        return {f"{GIVEN}/{name}": content for name, content in given.items()}, launcher

    def _prepare(self) -> Tools:
        if self._tools is None:
            tools = find_tools(self._bwrap)
            self._parents = self._given_cgroups or find_parents()
            self._parents.sweep()
            self._filter = seccomp_filter()
            self._tools = tools
        return self._tools


@contextlib.contextmanager
def _memory_file(content: bytes | None) -> Iterator[int]:
    """Yield a descriptor of a file in memory; one with content is sealed against change."""
    handle = os.memfd_create("prism-sandbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        if content is not None:
            with open(handle, "wb", closefd=False) as file:
                file.write(content)
            os.lseek(handle, 0, os.SEEK_SET)
            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
        yield handle
    finally:
        os.close(handle)


async def _start(
    arguments: list[str], cgroup: Cgroup | None, stdin: int, descriptors: tuple[int, ...]
) -> asyncio.subprocess.Process:
    if cgroup is not None:
        arguments = ["/bin/sh", "-c", _JOIN, "sh", *map(str, cgroup.procs), "--", *arguments]
    try:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
            env={"PATH": os.defpath},
            cwd="/",
            start_new_session=True,
        )
    except OSError as fault:
        raise SandboxUnavailable(f"the sandbox could not be started: {fault.strerror}") from fault


async def _attend(
    process: asyncio.subprocess.Process, execution: Execution, cgroup: Cgroup | None, status: int
) -> ExecutionResult:
    """Wait for a program's end, or end it, and tell what became of it."""
    assert process.stdout is not None  # noqa: S101 -- started with pipes
    assert process.stderr is not None  # noqa: S101
    limits = execution.limits
    output, errors = (Capture(limits.output_bytes, execution.heard) for _ in range(2))
    relay = Relay(limits, execution.heard) if execution.workspace is not None else None
    streams = asyncio.gather(_drain(process.stdout, relay or output), _drain(process.stderr, errors))
    begin = time.monotonic()
    overran = False
    try:
        try:
            async with asyncio.timeout(limits.wall_seconds + (_HAND_OVER_SECONDS if relay else 0.0)):
                await process.wait()
        except TimeoutError:
            overran = True
            await _end(process, cgroup)
        seconds = time.monotonic() - begin
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(streams, _SETTLE_SECONDS)
    finally:
        await asyncio.shield(_end(process, cgroup))
        streams.cancel()
        await asyncio.wait({streams})
    oom_kills = cgroup.oom_kills() if cgroup else 0
    if relay is not None and "exit_code" in relay.report:
        return result_of_report(relay, execution, oom_kills=oom_kills)
    if relay is not None and (fault := relay.report.get("fault")):
        raise SandboxUnavailable(f"the program could not be started: {fault}")
    if relay is not None:
        output = relay.stdout
    exit_code = _exit_code(process, status, errors, excused=overran or oom_kills > 0)
    ending = Ending(exit_code, seconds, overran, oom_kills, errors.last)
    return ExecutionResult(
        reason=reason_of(ending, limits),
        exit_code=None if overran else exit_code,
        stdout=output.text,
        stderr=errors.text,
        truncated=output.truncated or errors.truncated,
        seconds=seconds,
    )


def _exit_code(process: asyncio.subprocess.Process, status: int, errors: Capture, *, excused: bool) -> int:
    """Return the program's exit code as bubblewrap reports it.

    Raises:
        SandboxUnavailable: bubblewrap failed before it started the program.
    """
    for line in os.pread(status, _CHUNK_BYTES, 0).splitlines():
        with contextlib.suppress(ValueError):
            report = json.loads(line)
            if "exit-code" in report:
                return int(report["exit-code"])
    code = process.returncode or 0
    if code < 0:
        return SIGNAL_BASE - code
    if excused:
        return SIGNAL_BASE + signal.SIGKILL
    said = errors.text.strip()[:500]
    raise SandboxUnavailable(f"the sandbox could not be set up: {said or f'exit code {code}'}", exit_code=code)


async def _drain(stream: asyncio.StreamReader, capture: Capture | Relay) -> None:
    """Read to the end, so that the program never blocks, and keep what fits."""
    while chunk := await stream.read(_CHUNK_BYTES):
        capture.feed(chunk)


async def _end(process: asyncio.subprocess.Process, cgroup: Cgroup | None) -> None:
    """Kill bubblewrap, with which all processes in its namespace die, and reap it.

    Until that namespace's first process has asked to die with bubblewrap, it waits for it without end, and
    keeps the pipes open that asyncio waits for. It is in bubblewrap's process group until then.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if cgroup is not None:
            cgroup.kill()
    await process.wait()


async def _clear(cgroup: Cgroup) -> None:
    """Remove a program's control groups as soon as its last process is gone."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not cgroup.remove() and time.monotonic() < deadline:
        cgroup.kill()
        await asyncio.sleep(0.005)
