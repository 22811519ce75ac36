"""The key that encrypts the embedded store: in the system's keyring where there is one, else in a file."""

import base64
import binascii
import importlib
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from activities.private_file import create_once, read_private
from activities.secrets.contracts import SecretsUnusable

KEY_BYTES: Final = 32
_SERVICE: Final = "prism-console"


class MasterKey:
    """Where the key is kept.

    Args:
        path: The key's file; it counts before the keyring when it is there.
        keyring: Whether the system's keyring may hold the key; it needs the library ``keyring``.
    """

    def __init__(self, path: Path, *, keyring: bool = True) -> None:
        self._path = path
        self._keyring = keyring

    def read(self) -> bytes | None:
        """Return the key, or ``None`` when there is none yet.

        Raises:
            SecretsUnusable: It is there and cannot be used.
        """
        if self._path.exists():
            return _decoded(read_private(self._path, "key of the secrets", SecretsUnusable), str(self._path))
        ring = _system_keyring() if self._keyring else None
        text = ring.get_password(_SERVICE, self._account) if ring else None
        return _decoded(text.encode(), "the keyring") if text else None

    def create(self) -> bytes:
        """Make a key and keep it. The caller holds the store's lock."""
        text = base64.b64encode(AESGCM.generate_key(8 * KEY_BYTES))
        ring = _system_keyring() if self._keyring else None
        if ring:
            ring.set_password(_SERVICE, self._account, text.decode())
        else:
            create_once(self._path, text)
        key = self.read()
        assert key is not None  # noqa: S101 -- it was just kept
        return key

    @property
    def _account(self) -> str:
        # Two installations of one person have a key each.
        return str(self._path.absolute())


def _system_keyring() -> Any | None:  # noqa: ANN401 -- the library is optional, so its types are
    try:
        library = importlib.import_module("keyring")
    except ImportError:
        return None
    ring = library.get_keyring()
    # The library answers with a backend that always fails, of priority 0, where the system has no keyring.
    return ring if ring.priority >= 1 else None


def _decoded(text: bytes, place: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretsUnusable(f"what is kept in {place} is no key of {KEY_BYTES} bytes in base64")
    return key
