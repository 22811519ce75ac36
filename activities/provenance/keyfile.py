"""Signing with an Ed25519 key in a file of its own."""

from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
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

from activities.private_file import create_once, read_private
from activities.provenance.contracts import SigningKeyUnusable
from activities.provenance.envelope import envelope_bytes
from activities.provenance.keys import keyid_of
from activities.provenance.uris import PAYLOAD_TYPE
from activities.provenance.verify import verify_envelope


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

    @property
    def public_key_pems(self) -> list[bytes]:
        """The keys whose signatures count beside this one's: no others."""
        return [self._public_pem]

    def current(self) -> "KeyFileSigner":
        """Return what signs now: this key, which never changes."""
        return self

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


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Return a key as its file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    create_once(path, private_pem(key))


def _load(path: Path) -> Ed25519PrivateKey:
    pem = read_private(path, "signing key", SigningKeyUnusable)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise SigningKeyUnusable(
            f"the signing key {path} is not an unencrypted PKCS#8 key in PEM form", path=str(path)
        ) from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable(f"the signing key {path} is not an Ed25519 key", path=str(path))
    return key
