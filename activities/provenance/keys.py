"""Public keys that signatures are checked with, each known by its id."""

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from activities.provenance.contracts import ProvenanceInvalid


def keyid_of(key: Ed25519PublicKey) -> str:
    """Return the id of a key: SHA-256 of its raw 32 bytes, in hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a key as PEM, in the one form in which Prism writes it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_key(pem: bytes | str) -> Ed25519PublicKey:
    """Return the key of a PEM.

    Raises:
        ProvenanceInvalid: It is no Ed25519 public key.
    """
    try:
        key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise ProvenanceInvalid(f"the public key is not in PEM form: {fault}") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise ProvenanceInvalid("the public key is not an Ed25519 key")
    return key


class KeySet:
    """The keys whose signatures count; more than one where a key was replaced.

    Args:
        pems: Ed25519 public keys in PEM.

    Raises:
        ProvenanceInvalid: One is no such key.
    """

    def __init__(self, pems: Iterable[bytes | str]) -> None:
        self._keys = {keyid_of(key): key for key in map(public_key, pems)}

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, in order."""
        return tuple(sorted(self._keys))

    @property
    def pems(self) -> dict[str, bytes]:
        """Each as PEM, by id."""
        return {keyid: public_pem(self._keys[keyid]) for keyid in self.ids}

    def check(self, keyid: str, signature: bytes, signed: bytes) -> None:
        """Check a signature.

        Raises:
            ProvenanceInvalid: It does not count; the message says why.
        """
        key = self._keys.get(keyid)
        if key is None:
            raise ProvenanceInvalid(
                "the envelope was signed by another key", expected=", ".join(self.ids), found=keyid[:200]
            )
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            raise ProvenanceInvalid(
                "the signature does not fit the payload: one of them was altered, or another key signed it",
                keyid=keyid,
            ) from None
