"""The signing key of a file, as it is now: a key that was replaced signs nothing further, yet still counts."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock

from activities.private_file import replace
from activities.provenance.key_folder import PublicKeyFolder
from activities.provenance.keyfile import KeyFileSigner, private_pem


class WatchedKeyFile:
    """Signs with the key that is in a file now; running processes notice a rotation at their next signature.

    Args:
        path: The file; see :meth:`KeyFileSigner.open`.
        folder: Where its public keys are kept.

    Raises:
        SigningKeyUnusable: The file cannot be used.
    """

    def __init__(self, path: Path, folder: PublicKeyFolder) -> None:
        self._path = path
        self._folder = folder
        self._signer = KeyFileSigner.open(path)
        self._seen = self._look()
        folder.publish(self._signer.public_key_pem)

    def current(self) -> KeyFileSigner:
        """Return what signs now."""
        if (now := self._look()) != self._seen and now is not None:
            self._signer = KeyFileSigner.open(self._path)
            self._folder.publish(self._signer.public_key_pem)
            self._seen = now
        return self._signer

    @property
    def public_key_pems(self) -> list[bytes]:
        """Every key that signs or signed here."""
        return list(self._folder.keys().pems.values())

    async def sign(self, payload: bytes, payload_type: str) -> bytes:
        """Return the DSSE envelope over a payload; see :class:`Signer`."""
        return await self.current().sign(payload, payload_type)

    def _look(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            # Whoever took the file away gets no new key for it: what is in memory signs on.
            return None
        return status.st_ino, status.st_mtime_ns


def rotate_key_file(path: Path, folder: PublicKeyFolder) -> str:
    """Put a new key in place of a file's, keep both public keys, and return the new one's id.

    Raises:
        SigningKeyUnusable: The file cannot be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.with_name(f".{path.name}.lock")):
        folder.keep(KeyFileSigner.open(path).public_key_pem)
        key = Ed25519PrivateKey.generate()
        # The public key first: what the new one signs must be provable from the first signature on.
        new = KeyFileSigner(key)
        folder.keep(new.public_key_pem)
        replace(path, private_pem(key))
        folder.publish(new.public_key_pem)
    return new.keyid
