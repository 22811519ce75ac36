"""Signing with an Ed25519 key in a file of its own."""

import asyncio
import os
import secrets
import stat
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # no __all__

from activities.provenance.statement import PAYLOAD_TYPE
from activities.provenance.verify import envelope_bytes, keyid_of, verify_envelope
from temporal.errors import PrismError
from temporal.names import ErrorCode

_MAX_KEY_BYTES: Final = 64 * 1024


class SigningKeyUnusable(PrismError):
    """The signing key's file is missing, unreadable, too widely readable, or no Ed25519 key."""

    code = ErrorCode.INVALID_SETTINGS


class KeyFileSigner:
    """Signs DSSE envelopes with an Ed25519 key.

    Args:
        key: The private key; see :meth:`open`.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        public = key.public_key()
        self._keyid = keyid_of(public)
        self._public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._signer = CryptoSigner(key, SSlibKey.from_crypto(public, keyid=self._keyid))

    @classmethod
    def open(cls, path: Path) -> "KeyFileSigner":
        """Return the signer of a key file, creating file and key on first use.

        Blocks for a moment on the disk. Any number of processes may open a path for the first time at
        once: all get the one key that was written first.

        Args:
            path: PEM file (PKCS#8, not encrypted), readable by its owner only.

        Raises:
            SigningKeyUnusable: The file cannot be used; the message says what to do.
        """
        try:
            if not path.exists():
                _create(path)
            return cls(_load(path))
        except OSError as fault:
            raise SigningKeyUnusable(
                f"the signing key {path} cannot be used: {fault.strerror}", path=str(path)
            ) from fault

    @property
    def keyid(self) -> str:
        """Id of the signing key: SHA-256 of the raw public key, in hex."""
        return self._keyid

    @property
    def public_key_pem(self) -> bytes:
        """The public key, to be handed to those who verify."""
        return self._public_pem

    async def sign(self, payload: bytes, payload_type: str) -> bytes:
        """Return the DSSE envelope over a payload; the same bytes for the same payload.

        Raises:
            ValueError: The payload type is not that of an in-toto statement.
        """
        if payload_type != PAYLOAD_TYPE:
            raise ValueError(f"only {PAYLOAD_TYPE} is signed, not {payload_type}")
        signature = Envelope(payload, payload_type, {}).sign(self._signer)
        return envelope_bytes(payload, bytes.fromhex(signature.signature), self._keyid)

    def signature(self, payload: bytes, payload_type: str) -> bytes:
        """Return the signature over a payload and its type, as DSSE makes it: one type's never passes for another's."""
        return bytes.fromhex(Envelope(payload, payload_type, {}).sign(self._signer).signature)

    async def verify(self, envelope: bytes) -> dict[str, Any]:
        """Return the in-toto statement of an envelope this signer's key signed.

        Raises:
            ProvenanceInvalid: Signature, key or payload does not fit.
        """
        return verify_envelope(envelope, self._public_pem).statement


async def open_signer(path: Path) -> KeyFileSigner:
    """Return the signer of a key file without blocking the event loop; see :meth:`KeyFileSigner.open`."""
    return await asyncio.to_thread(KeyFileSigner.open, path)


def _create(path: Path) -> None:
    """Write a new key beside ``path`` and link it into place, unless somebody else was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, never replaces what is there, and shows a whole file or none.
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def _load(path: Path) -> Ed25519PrivateKey:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        _check_access(path, status)
        pem = file.read(_MAX_KEY_BYTES)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as fault:
        raise SigningKeyUnusable(
            f"the signing key {path} is not an unencrypted PKCS#8 key in PEM form", path=str(path)
        ) from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable(f"the signing key {path} is not an Ed25519 key", path=str(path))
    return key


def _check_access(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SigningKeyUnusable(f"the signing key {path} is not a regular file", path=str(path))
    if status.st_uid not in {os.geteuid(), 0}:
        raise SigningKeyUnusable(
            f"the signing key {path} belongs to another user (uid {status.st_uid})", path=str(path)
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise SigningKeyUnusable(
            f"the signing key {path} is open to group or others (mode {mode:04o}); "
            f"run: chmod 600 {path}, and replace the key if others may have read it",
            path=str(path),
            mode=f"{mode:04o}",
        )
