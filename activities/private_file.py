"""Files that only their owner may read: made once, whatever the number of processes, and refused when others can."""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from temporal.errors import PrismError

_MAX_BYTES: Final = 64 * 1024


def create_once(path: Path, data: bytes) -> None:
    """Write a new file beside ``path`` and link it into place, unless somebody else was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _written_beside(path, data)
    try:
        # A link, unlike a rename, never replaces what is there, and shows a whole file or none.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def replace(path: Path, data: bytes) -> None:
    """Put a file in place of ``path``: readers see the old one or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _written_beside(path, data)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path, what: str, unusable: Callable[..., PrismError]) -> bytes:
    """Return what is in a file that nobody else may read.

    Args:
        path: The file; no link.
        what: What the file is, for messages, such as ``signing key``.
        unusable: Makes the fault that is raised.

    Raises:
        PrismError: What ``unusable`` made, when others may read the file or it is no regular one.
        OSError: The file cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        _check_access(path, os.fstat(file.fileno()), what, unusable)
        return file.read(_MAX_BYTES)


def _written_beside(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _check_access(path: Path, status: os.stat_result, what: str, unusable: Callable[..., PrismError]) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise unusable(f"the {what} {path} is not a regular file", path=str(path))
    if status.st_uid not in {os.geteuid(), 0}:
        raise unusable(f"the {what} {path} belongs to another user (uid {status.st_uid})", path=str(path))
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise unusable(
            f"the {what} {path} is open to group or others (mode {mode:04o}); "
            f"run: chmod 600 {path}, and replace the key if others may have read it",
            path=str(path),
            mode=f"{mode:04o}",
        )
