"""The ring of keys that encrypt Temporal payloads: a file of its own, the newest key last."""

import base64
import binascii
import fcntl
import os
import re
import secrets
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode

KEY_BYTES: Final = 32
_LINE: Final = re.compile(r"(?P<id>[0-9a-f]{16}) (?P<key>[A-Za-z0-9+/]{43}=)")
_MAX_FILE_BYTES: Final = 1024 * 1024


class KeyRingUnusable(InvalidSettings):
    """The file of the keys is unreadable, too widely readable, or damaged."""


class UnknownEncryptionKey(PrismError):
    """A payload was encrypted with a key that this installation does not have."""

    code = ErrorCode.UNKNOWN_ENCRYPTION_KEY


class KeyRing:
    """Keys by id. The newest encrypts, all decrypt; a rotation by another process is noticed.

    Args:
        path: File of lines ``<id> <key in base64>``, oldest first, readable by its owner only.

    Raises:
        KeyRingUnusable: The file cannot be used; the message says what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._ciphers: dict[str, AESGCM] = {}
        self._refresh()

    @classmethod
    def open(cls, path: Path) -> "KeyRing":
        """Return the ring of a file, creating file and first key on first use, by whichever process is first."""
        if not path.exists():
            try:
                _write(path, [_new_line()], replace=False)
            except OSError as fault:
                raise _unusable(path, f"cannot be written: {fault.strerror}") from fault
        return cls(path)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all keys, oldest first."""
        self._refresh()
        return tuple(self._ciphers)

    def newest(self) -> tuple[str, AESGCM]:
        """Return the key that encrypts, with its id."""
        self._refresh()
        return next(reversed(self._ciphers.items()))

    def get(self, key_id: str) -> AESGCM:
        """Return a key.

        Raises:
            UnknownEncryptionKey: There is none of this id.
        """
        if key_id not in self._ciphers:
            self._refresh()
        try:
            return self._ciphers[key_id]
        except KeyError:
            message = f"no key {key_id} is in {self._path}; put the key file that has it in place"
            raise UnknownEncryptionKey(message, key=key_id) from None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._read_at:
                self._ciphers = dict(_parse(self._path, line) for line in _lines(self._path))
                self._read_at = version
        except OSError as fault:
            raise _unusable(self._path, f"cannot be read: {fault.strerror}") from fault
        if not self._ciphers:
            raise _unusable(self._path, "holds no key")


def rotated_at(path: Path) -> datetime:
    """Return when the newest key was added: nothing else writes the file."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def rotate(path: Path) -> str:
    """Add a key, by which everything is encrypted from now on, and return its id; old keys stay."""
    KeyRing.open(path)
    line = _new_line()
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        # Two rotations at once would lose one's key, and with it what was encrypted meanwhile.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(path, [*_lines(path), line], replace=True)
    return line.partition(" ")[0]


def _new_line() -> str:
    return f"{secrets.token_hex(8)} {base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _lines(path: Path) -> list[str]:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "r", encoding="ascii", errors="replace") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise _unusable(path, "is not a regular file")
        if mode & 0o077:
            raise _unusable(path, f"is open to group or others; run: chmod 600 {path}, then prism keys rotate")
        return file.read(_MAX_FILE_BYTES).splitlines()


def _parse(path: Path, line: str) -> tuple[str, AESGCM]:
    found = _LINE.fullmatch(line)
    if not found:
        raise _unusable(path, "has a line that is no key; restore it from a backup")
    try:
        return found["id"], AESGCM(base64.b64decode(found["key"], validate=True))
    except (binascii.Error, ValueError):
        # Without its cause: that might show the key.
        raise _unusable(path, "has a line that is no key; restore it from a backup") from None


def _write(path: Path, lines: list[str], *, replace: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
            return
        try:
            # A link, unlike a rename, never replaces what is there, and shows a whole file or none.
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)


def _unusable(path: Path, what: str) -> KeyRingUnusable:
    return KeyRingUnusable(f"the file of encryption keys {path} {what}", path=str(path))
