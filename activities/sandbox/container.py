"""The container a program runs in: what it sees, who it is, what it may use, and how it gets its program."""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from activities.sandbox.contracts import Execution, Limits, SecretNotText
from activities.sandbox.launching import LAUNCHER_BYTES, SURROUNDINGS, given_files, program_name
from activities.sandbox.seccomp import seccomp_profile
from catalogs.row import Language

# Every container of Prism, and when it has no business to be there any more (seconds since 1970).
LABEL: Final = "prism.sandbox"
UNTIL: Final = "prism.sandbox.until"
_FIRST_UID: Final = 1_900_000_000
_UIDS: Final = 1 << 24
_OPEN_FILES: Final = 256
_MEGABYTE: Final = 1 << 20
_PAGE: Final = 4_096
# The shell that starts the program counts too.
_OWN_PROCESSES: Final = 1
_NANO: Final = 1_000_000_000
_FOLDERS: Final = ("/work", "/tmp")  # noqa: S108 -- of the container
INTERPRETERS: Final = {Language.PYTHON: "python3", Language.SHELL: "bash", Language.JAVASCRIPT: "node"}
_FILES: Final = {
    Language.PYTHON: "/program/main.py",
    Language.SHELL: "/program/main.sh",
    Language.JAVASCRIPT: "/program/main.js",
}
# Standard input begins with what no command line, no label and no 'docker inspect' may show: variables, each ended by
# a NUL, an empty one, the size of the program, the program. What follows is the program's own standard input. The shell
# stays process 1: no signal from inside ends it, and with it everything else ends.
_START: Final = """
while IFS= read -r -d '' pair && [ -n "$pair" ]; do export "$pair"; done
IFS= read -r -d '' size || exit 125
program=$1; shift
head -c "$size" >"$program" && chmod 0444 "$program" || exit 125
unset pair size
cd /work
type -P "$1" >/dev/null || exit 124
exec 3>&2 2>/dev/null
"$@" "$program" 2>&3 3>&-
exit $?
"""
# Where a program has files, standard input begins with what its launcher is given, told by a line of JSON. What follows
# is the program's own.
_LAUNCH: Final = """
import json, os
def take(size):
    data = bytearray()
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece: os._exit(125)
        data += piece
    return bytes(data)
line = bytearray()
while not line.endswith(b"\\n"): line += take(1)
for name, size in json.loads(line).items():
    with open("/program/" + name, "wb") as file: file.write(take(size))
os.chdir("/work")
os.execvp("python3", ["python3", "-I", "-B", "/program/launcher.py", "/program"])
"""
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def spare_user() -> int:
    """Return a user id that nobody else is likely to have: the engine's host counts and protects by it."""
    return _FIRST_UID + secrets.randbelow(_UIDS)


def command_of(execution: Execution) -> list[str]:
    """Return the command that reads standard input and runs a program."""
    language = execution.language
    if execution.workspace is not None:
        return ["python3", "-I", "-B", "-c", _LAUNCH]
    return ["bash", "-c", _START, "prism", _FILES[language], *_interpreter(language, execution.limits)]


def _interpreter(language: Language, limits: Limits) -> list[str]:
    options = {
        Language.PYTHON: ["-I", "-B", "-u"],
        Language.SHELL: [],
        Language.JAVASCRIPT: [f"--max-old-space-size={max(limits.memory_bytes * 3 // 4 // _MEGABYTE, 16)}"],
    }
    return [INTERPRETERS[language], *options[language]]


def input_of(execution: Execution) -> bytes:
    """Return all that goes into the container's standard input.

    Raises:
        SecretNotText: A value cannot stand in an environment.
    """
    if execution.workspace is not None:
        given = _given(execution)
        sizes = json.dumps({name: len(content) for name, content in given.items()}).encode() + b"\n"
        return b"".join((sizes, *given.values(), execution.stdin.encode(errors="replace")))
    program = execution.code.encode(errors="replace")
    return b"".join(
        (
            _variables(execution.environment),
            f"\0{len(program)}\0".encode(),
            program,
            execution.stdin.encode(errors="replace"),
        )
    )


def _given(execution: Execution) -> dict[str, bytes]:
    program = f"/program/{program_name(execution.language)}"
    return given_files(execution, [*_interpreter(execution.language, execution.limits), program], _PATH)


def host_config(execution: Execution, user: int, runtime: str = "") -> dict[str, Any]:
    """Return the isolation of a container, as arguments of the SDK's ``create_host_config``.

    Args:
        execution: What runs in it.
        user: See ``spare_user``.
        runtime: OCI runtime, such as ``runsc``; empty for the engine's default.
    """
    limits = execution.limits
    size = limits.file_bytes
    launched = execution.workspace is not None
    shown = _given(execution).values() if launched else (execution.code.encode(errors="replace"),)
    program = sum((len(content) // _PAGE + 2) * _PAGE for content in shown)
    own = LAUNCHER_BYTES + program if launched else 0
    # The engine gives a folder the mode that it has in the image; the owner remains.
    owned = f"rw,nosuid,nodev,mode=1777,uid={user},gid={user}"
    folders = dict.fromkeys(_FOLDERS, f"{owned},exec,size={size}")
    folders["/program"] = f"{owned},noexec,size={program}"
    return {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": folders,
        "shm_size": size,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", f"seccomp={json.dumps(seccomp_profile())}"],
        "ipc_mode": "private",
        "mem_limit": limits.memory_bytes + own,
        "memswap_limit": limits.memory_bytes + own,
        "pids_limit": limits.processes + _OWN_PROCESSES,
        "nano_cpus": _NANO,
        "ulimits": [
            {"Name": "fsize", "Soft": size, "Hard": size},
            {"Name": "nofile", "Soft": _OPEN_FILES, "Hard": _OPEN_FILES},
            {"Name": "cpu", "Soft": limits.cpu_seconds, "Hard": limits.cpu_seconds + 1},
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "msgqueue", "Soft": 0, "Hard": 0},
        ],
        # What a program prints is read as it comes: gigabytes of it must not lie about on the engine's disk.
        "log_config": {"Type": "none"},
        **({"runtime": runtime} if runtime else {}),
    }


def container_config(execution: Execution, image: str, user: int, until: int) -> dict[str, Any]:
    """Return a container's own settings, as arguments of the SDK's ``create_container``.

    Args:
        execution: What runs in it.
        image: Where bash, python3 and node are.
        user: See ``spare_user``.
        until: When it is over at the latest, in seconds since 1970.
    """
    return {
        "image": image,
        "entrypoint": [],
        "command": command_of(execution),
        "user": f"{user}:{user}",
        "hostname": "sandbox",
        "working_dir": "/",
        "environment": {"PATH": _PATH, **SURROUNDINGS},
        "labels": {LABEL: "program", UNTIL: str(until)},
        "stdin_open": True,
        "tty": False,
    }


def _variables(environment: Mapping[str, SecretStr]) -> bytes:
    pairs = []
    for name, value in environment.items():
        if "\0" in value.get_secret_value():
            raise SecretNotText(f"the secret for {name} holds a NUL byte, which no environment variable can")
        pairs.append(f"{name}={value.get_secret_value()}\0".encode())
    return b"".join(pairs)
