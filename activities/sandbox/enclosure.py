"""The command line that encloses a program: what it sees, who it is, what it may use."""

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from activities.sandbox.contracts import Limits, SandboxUnavailable, SecretNotText
from activities.sandbox.launching import EXTENSIONS, SURROUNDINGS
from catalogs.row import Language

_NOBODY: Final = 65_534
_FIRST_UID: Final = 1_900_000_000
_UIDS: Final = 1 << 24
_OPEN_FILES: Final = 256
_MEGABYTE: Final = 1 << 20
SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
GIVEN: Final = "/run/prism"
"""Where a launcher finds what it is given."""


class SandboxNotInstalled(SandboxUnavailable):
    """A program the sandbox needs is not installed; trying again cannot help."""

    retryable = False


@dataclass(frozen=True)
class Tools:
    """Programs of the host that make a sandbox.

    Args:
        bwrap: bubblewrap.
        prlimit: Sets resource limits (util-linux).
        setpriv: Drops the user id (util-linux); needed when the worker is root.
    """

    bwrap: str
    prlimit: str
    setpriv: str


@dataclass(frozen=True)
class Descriptors:
    """Open files that bubblewrap inherits; the program inside does not.

    Args:
        given: To read files from that are shown, each by its path.
        status: For bubblewrap's reports.
        seccomp: To read the system call filter from, if there is one.
        arguments: To read arguments from that no other process may see, if there are any.
    """

    given: Mapping[str, int]
    status: int
    seccomp: int | None
    arguments: int | None = None

    @property
    def open(self) -> tuple[int, ...]:
        """All of them."""
        return tuple(
            number for number in (*self.given.values(), self.status, self.seccomp, self.arguments) if number is not None
        )


def find_tools(bwrap: Path | None = None) -> Tools:
    """Find the programs that make a sandbox.

    Raises:
        SandboxNotInstalled: One is missing; the message names its Debian package.
    """
    return Tools(
        bwrap=_find(str(bwrap or "bwrap"), "bubblewrap"),
        prlimit=_find("prlimit", "util-linux"),
        setpriv=_find("setpriv", "util-linux"),
    )


def own_python() -> Path:
    """Return the interpreter below this one's virtual environment."""
    return Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")


def interpreter(language: Language, limits: Limits, python: Path) -> list[str]:
    """Return the command that runs a program file of a language.

    Args:
        language: What the program is written in.
        limits: What it may use.
        python: The Python interpreter.

    Raises:
        SandboxNotInstalled: The language's interpreter is missing.
    """
    if language is Language.SHELL:
        return [_find("bash", "bash")]
    if language is Language.JAVASCRIPT:
        heap = max(limits.memory_bytes * 3 // 4 // _MEGABYTE, 16)
        node = _find("node", "nodejs")
        if not Path(node).resolve().is_relative_to("/usr"):
            raise SandboxNotInstalled(f"node is at {node}, outside /usr; install the Debian package nodejs")
        return [node, f"--max-old-space-size={heap}"]
    if not python.exists():
        raise SandboxNotInstalled(f"no Python at {python}; install the Debian package python3")
    return [str(python), "-I", "-B", "-u"]


def program_path(language: Language) -> str:
    """Return where a program finds itself."""
    return f"/run/program.{EXTENSIONS[language]}"


def enclose(
    tools: Tools,
    command: list[str],
    limits: Limits,
    language: Language,
    *,
    descriptors: Descriptors,
    python: Path,
    own_user: bool,
    launched: bool = False,
) -> list[str]:
    """Return the command line that runs a program in its enclosure.

    Args:
        tools: Programs of the host.
        command: The interpreter with the program's path, or the launcher.
        limits: What it may use.
        language: What the program is written in.
        descriptors: What bubblewrap reads and writes.
        python: The Python interpreter; its installation is shown when it is outside /usr.
        own_user: bubblewrap runs as root, and the program as a user that nobody else is. Otherwise
            bubblewrap runs as an ordinary user, and the program in a user namespace of its own.
        launched: The command is a launcher: process 1, which no signal from inside ends, and which limits the program.
    """
    arguments = [
        tools.bwrap,
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *_environment(),
        *_files(limits, python),
        *(
            word
            for path, number in descriptors.given.items()
            for word in ("--perms", "0444", "--ro-bind-data", str(number), path)
        ),
        *("--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/work"),
        *("--json-status-fd", str(descriptors.status)),
    ]
    if descriptors.seccomp is not None:
        arguments += ["--seccomp", str(descriptors.seccomp)]
    if descriptors.arguments is not None:
        arguments += ["--args", str(descriptors.arguments)]
    arguments += _identity(own_user=own_user)
    arguments += ["--as-pid-1", "--"] if launched else ["--", tools.prlimit, *_resource_limits(limits, language), "--"]
    if own_user:
        arguments += drop_root(tools)
    return [*arguments, *command]


def secret_arguments(environment: Mapping[str, SecretStr]) -> bytes | None:
    """Return variables as bubblewrap reads them from a descriptor: a command line is seen by every user of the host.

    Raises:
        SecretNotText: A value cannot stand in an environment.
    """
    words = [word for name, value in environment.items() for word in ("--setenv", name, value.get_secret_value())]
    for name, value in environment.items():
        if "\0" in value.get_secret_value():
            raise SecretNotText(f"the secret for {name} holds a NUL byte, which no environment variable can")
    return b"".join(word.encode() + b"\0" for word in words) or None


def _environment() -> list[str]:
    values = {"PATH": SEARCH_PATH, **SURROUNDINGS}
    return ["--clearenv", *(word for item in values.items() for word in ("--setenv", *item))]


def _files(limits: Limits, python: Path) -> list[str]:
    """Return the file tree: programs and libraries read-only, three small folders in memory to write to."""
    size = str(limits.file_bytes)
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64", "lib32", "sbin"):
        place = Path("/", name)
        if place.is_symlink():
            arguments += ["--symlink", str(place.readlink()), str(place)]
        elif place.is_dir():
            arguments += ["--ro-bind", str(place), str(place)]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for file in ("/etc/ld.so.cache", "/etc/alternatives"):
        arguments += ["--ro-bind-try", file, file]
    arguments += _python_prefix(python)
    # Some files of /proc/sys are open to all, within their namespace, and some to root by its real id.
    arguments += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    arguments += ["--dev", "/dev", "--perms", "0755", "--dir", "/run"]
    for folder in ("/dev/shm", "/tmp", "/work"):  # noqa: S108 -- of the sandbox
        arguments += ["--perms", "1777", "--size", size, "--tmpfs", folder]
    return arguments


def _python_prefix(python: Path) -> list[str]:
    """Return the binding of a Python outside /usr, without the packages installed in it."""
    prefix = python.resolve().parent.parent
    if prefix.is_relative_to("/usr"):
        return []
    parents = [str(folder) for folder in reversed(prefix.parents) if folder != Path("/")]
    arguments = [word for folder in parents for word in ("--perms", "0755", "--dir", folder)]
    arguments += ["--ro-bind", str(prefix), str(prefix)]
    for packages in prefix.glob("lib/python3*/site-packages"):
        arguments += ["--perms", "0555", "--size", "4096", "--tmpfs", str(packages)]
    return arguments


def _identity(*, own_user: bool) -> list[str]:
    if own_user:
        # Only what setpriv needs to give these up itself.
        kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
        return ["--cap-drop", "ALL", *(word for name in kept for word in ("--cap-add", name))]
    user = str(_NOBODY)
    return ["--unshare-user", "--uid", user, "--gid", user, "--disable-userns", "--cap-drop", "ALL"]


def drop_root(tools: Tools) -> list[str]:
    """Return the command that turns root into a user that owns nothing and whose processes are counted.

    A program must never run as the host's root, not even in a user namespace where it is called nobody:
    files such as /proc/sys/kernel/core_pattern belong to root by its real id, and are shared with the host.
    """
    user = str(_spare_uid(Path("/proc/self/uid_map").read_text()))
    return [
        tools.setpriv,
        *(f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
    ]


def _spare_uid(uid_map: str) -> int:
    """Return a user id that nobody is likely to have, among those that exist in this user namespace."""
    ranges = [(int(first), int(count)) for first, _, count in (line.split() for line in uid_map.splitlines())]
    first, count = max(ranges, key=lambda item: item[1])
    if first <= _FIRST_UID and first + count >= _FIRST_UID + _UIDS:
        return _FIRST_UID + secrets.randbelow(_UIDS)
    return first + count - 1 - secrets.randbelow(max(count // 4, 1))


def _resource_limits(limits: Limits, language: Language) -> list[str]:
    # V8 reserves far more address space than it uses: its writable memory is limited instead.
    memory = "data" if language is Language.JAVASCRIPT else "as"
    return [
        f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}",
        f"--{memory}={limits.memory_bytes}",
        f"--nproc={limits.processes}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={_OPEN_FILES}",
        "--core=0",
        "--msgqueue=0",
    ]


def _find(name: str, package: str) -> str:
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:" + os.environ.get("PATH", os.defpath))
    if found is None:
        raise SandboxNotInstalled(
            f"{name} is not installed; install the Debian package {package}", program=name, package=package
        )
    return found
