"""Process 1 of a sandbox: runs one program and tells what it printed, which files it left, and how it ended.

It runs every program in Kubernetes, and elsewhere those that have files. It is run by the Python (3.9 or newer) that is
in the sandbox, so it imports the standard library alone. Kubernetes keeps standard output and standard error of a
container in one log, and only the newest part of a long one. So each line written here is a stream's number and a piece
of it in base64, up to the limit of each stream: 1 and 2 as usual, 3 the files. The last line, number 0, is the report.
The program cannot write to that log: it gets pipes.
"""

from __future__ import annotations

import base64
import ctypes
import fcntl
import gzip
import importlib.util
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

REPORT = 0
FILES = 3
_PIECE_BYTES = 6 * 1024  # as base64 it fits into one line of a container runtime's log
_FLUSH_SECONDS = 0.2
_SETTLE_SECONDS = 2.0
_PROBE_SECONDS = 0.3
_TAIL_BYTES = 8_192
_OPEN_FILES = 256
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_FILTER = 2  # SECCOMP_MODE_FILTER
_INSTRUCTION_BYTES = 8
_SIGNAL_BASE = 128
_NOT_STARTED = 126
_SEALS = 0x0F  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
_ADD_SEALS = 1033
_MEMORY_EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))  # v2, v1


class Stream:
    """One of the program's two output streams, on its way to the log."""

    def __init__(self, number: int, reader: int, limit: int) -> None:
        self.number = number
        self.reader = reader
        self.room = limit
        self.pending = bytearray()
        self.tail = b""
        self.truncated = False

    def read(self) -> bool:
        """Take what is there, and return whether more may come."""
        chunk = os.read(self.reader, 1 << 16)
        self.truncated = self.truncated or len(chunk) > self.room
        self.pending += chunk[: self.room]
        self.room -= min(len(chunk), self.room)
        self.tail = (self.tail + chunk)[-_TAIL_BYTES:]
        if len(self.pending) >= _PIECE_BYTES:
            self.flush()
        return bool(chunk)

    def flush(self) -> None:
        """Write what was taken to the log."""
        for begin in range(0, len(self.pending), _PIECE_BYTES):
            tell(self.number, bytes(self.pending[begin : begin + _PIECE_BYTES]))
        self.pending.clear()


def tell(number: int, content: bytes) -> None:
    """Write one line of the log."""
    line = b"%d %s\n" % (number, base64.b64encode(content))
    while line:
        line = line[os.write(1, line) :]


class FilterProgram(ctypes.Structure):
    """``struct sock_fprog`` of the kernel."""

    _fields_ = (("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def prctl(option: int, first: int, second: Any = 0) -> None:  # noqa: ANN401 -- whatever the option takes
    """Set something of this process.

    Raises:
        OSError: The kernel refuses.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(option, first, second, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def protect() -> None:
    """Keep the program from reaching this process: as its own user, it could write to its log or trace it."""
    prctl(_PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as process 1, it gets no other signal from inside the pod


def network_is_open() -> bool:
    """Tell whether this pod reaches the cluster's own API: where network policies are heeded, it does not.

    Kubernetes takes a network policy whether or not anything enforces it, and says nothing.
    """
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        return False
    try:
        socket.create_connection((host, int(port)), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def start(task: dict[str, Any], given: int, outputs: tuple[int, int]) -> int:
    """Start the program and return its process id.

    Raises:
        RuntimeError: It could not be started.
    """
    faults, fault = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(task, (given, *outputs))
        except BaseException as error:  # noqa: BLE001 -- the child ends here whatever happens
            os.write(fault, f"{task['command'][0]}: {error}".encode())
        os._exit(_NOT_STARTED)
    os.close(fault)
    os.close(given)
    said = os.read(faults, 4_096)
    os.close(faults)
    if said:
        raise RuntimeError(said.decode(errors="replace"))
    return pid


def input_of(folder: Path) -> int:
    """Return the program's standard input: the text that was given, which it cannot change, or else this process's."""
    if not (folder / "stdin.gz").exists():
        return 0
    given = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(given, "wb", closefd=False) as file:
        file.write(gzip.decompress((folder / "stdin.gz").read_bytes()))
    os.lseek(given, 0, os.SEEK_SET)
    fcntl.fcntl(given, _ADD_SEALS, _SEALS)
    return given


def become(task: dict[str, Any], streams: tuple[int, int, int]) -> None:
    """Turn this process into the program, under its limits."""
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for name, (soft, hard) in limits_of(task).items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    if encoded := task["filters"].get(os.uname().machine):
        instructions = base64.b64decode(encoded)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        filtering = FilterProgram(len(instructions) // _INSTRUCTION_BYTES, instructions)
        prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(filtering))
    os.execvpe(task["command"][0], task["command"], task["environment"])  # noqa: S606 -- what this file is for


def limits_of(task: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the program's resource limits, soft and hard."""
    same = {
        task["memory_limit"]: task["memory_bytes"],
        "RLIMIT_NPROC": task["processes"] + 1,  # this process counts too
        "RLIMIT_FSIZE": task["file_bytes"],
        "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    limits = {name: (value, value) for name, value in same.items() if hasattr(resource, name)}
    return {**limits, "RLIMIT_CPU": (task["cpu_seconds"], task["cpu_seconds"] + 1)}


def attend(program: int, streams: list[Stream], woken: int, wall_seconds: float) -> int | None:
    """Relay output until the program ends or its time is up; return its wait status, or nothing if it overran."""
    deadline = time.monotonic() + wall_seconds
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.reader, selectors.EVENT_READ, stream)
        selector.register(woken, selectors.EVENT_READ, None)
        flushed = time.monotonic()
        while (now := time.monotonic()) < deadline:
            for key, _ in selector.select(min(deadline - now, _FLUSH_SECONDS)):
                if key.data is None:
                    os.read(woken, 4_096)
                elif not key.data.read():
                    selector.unregister(key.fd)
            status = reap(program)
            if status is not None:
                return status
            if now - flushed > _FLUSH_SECONDS:
                flush(streams)
                flushed = now
    return None


def reap(program: int) -> int | None:
    """Collect all that ended, as nobody else does; return the program's status if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == program:
            found = status


def end_all(program: int) -> None:
    """Kill whatever still runs in the pod."""
    try:
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        else:  # outside of a pod, where -1 would be everybody
            os.killpg(program, signal.SIGKILL)
    except ProcessLookupError:
        return


def settle(streams: list[Stream]) -> None:
    """Read what is left in the pipes once their writers are gone."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.reader, selectors.EVENT_READ, stream)
        while selector.get_map() and (now := time.monotonic()) < deadline:
            for key, _ in selector.select(deadline - now):
                if not key.data.read():
                    selector.unregister(key.fd)
    flush(streams)


def flush(streams: list[Stream]) -> None:
    """Write to the log what was read of all streams."""
    for stream in streams:
        stream.flush()


def oom_kills() -> int:
    """Return how many processes of this container the kernel killed for want of memory."""
    lines = [line for path in _MEMORY_EVENTS if path.exists() for line in path.read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def exit_code_of(status: int) -> int:
    """Return the exit code as a shell would tell it."""
    return _SIGNAL_BASE + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main(folder: Path) -> int:
    """Run the program of a folder and return its exit code."""
    task = json.loads((folder / "task.json").read_bytes())
    given = input_of(folder)
    protect()
    if network_is_open():
        tell(REPORT, json.dumps({"open_network": True}).encode())
        return _NOT_STARTED
    files = load(folder) if "files" in task else None
    if files is not None:
        files.lay(folder / "inputs.tar", Path.cwd())
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    (out, out_writer), (err, err_writer) = os.pipe(), os.pipe()
    streams = [Stream(1, out, task["output_bytes"]), Stream(2, err, task["output_bytes"])]
    killed_before = oom_kills()
    begin = time.monotonic()
    try:
        program = start(task, given, (out_writer, err_writer))
    except RuntimeError as fault:
        tell(REPORT, json.dumps({"fault": str(fault)}).encode())
        return _NOT_STARTED
    os.close(out_writer)
    os.close(err_writer)
    status = attend(program, streams, woken, task["wall_seconds"])
    seconds = time.monotonic() - begin
    end_all(program)
    settle(streams)
    report = {
        "exit_code": _SIGNAL_BASE + signal.SIGKILL if status is None else exit_code_of(status),
        "overran": status is None,
        "seconds": seconds,
        "oom_kills": oom_kills() - killed_before,
        "truncated": any(stream.truncated for stream in streams),
        "last_errors": streams[1].tail.decode(errors="replace"),
    }
    if files is not None and status == 0:
        report |= keep(files, task["files"])
    tell(REPORT, json.dumps(report).encode())
    return int(str(report["exit_code"]))


def load(folder: Path) -> ModuleType:
    """Return what handles files; loaded before the program could alter it."""
    spec = importlib.util.spec_from_file_location("workspace", folder / "workspace.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # of a file that is there
    spec.loader.exec_module(module)  # type: ignore[union-attr]  # likewise
    return module


def keep(files: ModuleType, wanted: dict[str, Any]) -> dict[str, Any]:
    """Write the files that are kept to the log, once nobody is left who could change them; return what to report."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    pending = bytearray()

    def take(piece: bytes) -> None:
        pending.extend(piece)
        while len(pending) >= _PIECE_BYTES:
            tell(FILES, bytes(pending[:_PIECE_BYTES]))
            del pending[:_PIECE_BYTES]

    try:
        count = files.collect(Path.cwd(), wanted, take)
    except files.Unkept as why:
        return {"unkept": str(why)}
    except OSError as fault:
        return {"unkept": f"they cannot be read: {fault.strerror}"}
    tell(FILES, bytes(pending))
    return {"files": count}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
