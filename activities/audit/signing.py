"""Signed words on the log: checkpoints, and the seal at the end of an export."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from activities.audit.canonical import canonical
from activities.audit.contracts import AuditUnreadable, Checkpoint
from activities.provenance.envelope import pae
from activities.provenance.keys import keyid_of
from activities.records.database import timestamp

CHECKPOINT: Final = "application/vnd.prism.audit-checkpoint+json"
SEAL: Final = "application/vnd.prism.audit-export+json"


class AuditSigner(Protocol):
    """Signs with one key."""

    @property
    def keyid(self) -> str:
        """Id of the key."""
        ...

    def signature(self, payload: bytes, payload_type: str) -> bytes:
        """Return the signature over a payload and its type."""
        ...


class AuditSigners(Protocol):
    """The installation's keys: the one that signs, and those that signed."""

    @property
    def public_key_pems(self) -> list[bytes]:
        """Every public key whose signature counts."""
        ...

    def current(self) -> AuditSigner:
        """Return what signs now; it stays with its key whatever is rotated meanwhile."""
        ...


def signed_checkpoint(signer: AuditSigner, sequence: int, head: str) -> Checkpoint:
    """Return a checkpoint on an entry and its hash."""
    body = {"sequence": sequence, "hash": head, "at": timestamp()}
    return Checkpoint(**body, keyid=signer.keyid, signature=sign(signer, body, CHECKPOINT))


def sign(signer: AuditSigner, body: Mapping[str, Any], kind: str) -> str:
    """Return the signature over an object, in base64."""
    return base64.b64encode(signer.signature(canonical(body).encode(), kind)).decode()


class PublicKeys:
    """The keys whose signatures count.

    Args:
        pems: Ed25519 public keys in PEM; more than one where a key was replaced.

    Raises:
        AuditUnreadable: One is no such key.
    """

    def __init__(self, pems: Iterable[bytes]) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for pem in pems:
            try:
                key = load_pem_public_key(pem)
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise AuditUnreadable(f"a public key is not in PEM form: {error}") from error
            if not isinstance(key, Ed25519PublicKey):
                raise AuditUnreadable("a public key is not an Ed25519 key")
            self._keys[keyid_of(key)] = key

    @property
    def ids(self) -> str:
        """Their ids."""
        return ", ".join(self._keys) or "no key"

    def fault(self, body: Mapping[str, Any], kind: str, keyid: str, signature: str) -> str:
        """Return why a signature does not count; empty when it does."""
        key = self._keys.get(keyid)
        if key is None:
            return f"it is signed by another key, {keyid[:16]}"
        try:
            key.verify(base64.b64decode(signature, validate=True), pae(kind, canonical(body).encode()))
        except (InvalidSignature, binascii.Error, ValueError):
            return "its signature does not fit"
        return ""

    def checkpoint_fault(self, checkpoint: Checkpoint) -> str:
        """Return why a checkpoint does not count; empty when it does."""
        body = checkpoint.model_dump(include={"sequence", "hash", "at"})
        return self.fault(body, CHECKPOINT, checkpoint.keyid, checkpoint.signature)
