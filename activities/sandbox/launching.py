"""What the launcher is given: itself, its task, the program and the files that the program finds."""

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from activities.sandbox import launcher, workspace
from activities.sandbox.contracts import Execution, SecretNotText
from activities.sandbox.seccomp import seccomp_filter
from catalogs.file_patterns import pattern_expression
from catalogs.row import Language

LAUNCHER_BYTES: Final = 48 * 1024 * 1024
"""Memory that the launcher takes besides the program's."""
EXTENSIONS: Final = {Language.PYTHON: "py", Language.SHELL: "sh", Language.JAVASCRIPT: "js"}
SURROUNDINGS: Final = {"LANG": "C.UTF-8", "HOME": "/work", "TMPDIR": "/tmp"}  # noqa: S108 -- of the sandbox
_LAUNCHER: Final = Path(launcher.__file__)
_WORKSPACE: Final = Path(workspace.__file__)
_MACHINES: Final = ("x86_64", "aarch64")


def program_name(language: Language) -> str:
    """Return the name of a program's file."""
    return f"program.{EXTENSIONS[language]}"


def given_files(
    execution: Execution, command: list[str], path: str, *, most_bytes: int | None = None
) -> dict[str, bytes]:
    """Return the files that a launcher is started with, by name, but for the program's standard input.

    Args:
        execution: What is run.
        command: The interpreter with the program's file.
        path: The program's search path.
        most_bytes: Most that its files may be together, where that is less than its limits say.

    Raises:
        SecretNotText: A value cannot stand in an environment.
    """
    refuse_unfit(execution)
    files = {
        "launcher.py": _LAUNCHER.read_bytes(),
        "task.json": json.dumps(_task(execution, command, path, most_bytes)).encode(),
        program_name(execution.language): execution.code.encode(errors="replace"),
    }
    if execution.workspace is not None:
        files["workspace.py"] = _WORKSPACE.read_bytes()
        files["inputs.tar"] = _archive(execution.workspace.files)
    return files


def refuse_unfit(execution: Execution) -> None:
    """Refuse secrets that no environment can hold.

    Raises:
        SecretNotText: There is one.
    """
    for variable, value in execution.environment.items():
        if "\0" in value.get_secret_value():
            raise SecretNotText(f"the secret for {variable} holds a NUL byte, which no environment variable can")


def _task(execution: Execution, command: list[str], path: str, most_bytes: int | None) -> dict[str, Any]:
    limits, kept = execution.limits, execution.workspace
    given = {name: _revealed(value) for name, value in execution.environment.items()}
    task = {
        "command": command,
        "environment": {"PATH": path, **SURROUNDINGS, **given},
        # V8 reserves far more address space than it uses: its writable memory is limited instead.
        "memory_limit": "RLIMIT_DATA" if execution.language is Language.JAVASCRIPT else "RLIMIT_AS",
        # The node may be another kind of machine than the worker.
        "filters": {machine: encoded(found) for machine in _MACHINES if (found := seccomp_filter(machine))},
        **limits.model_dump(mode="json"),
    }
    if kept is not None:
        most = limits.workspace_bytes if most_bytes is None else min(limits.workspace_bytes, most_bytes)
        task["files"] = {
            "expression": pattern_expression(kept.keep),
            "bytes": most,
            "files": limits.workspace_files,
        }
    return task


def _revealed(value: SecretStr) -> str:
    return value.get_secret_value()


def _archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def encoded(content: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(content).decode()
