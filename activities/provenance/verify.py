"""Offline verification of a sealed row: from the envelope's bytes and a public key alone."""

import base64
import binascii
import hashlib
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field

from activities.artifacts.contracts import Digest, digest_of
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.statement import PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE
from temporal.contract import Contract

_MAX_ENVELOPE_BYTES: Final = 16 * 1024 * 1024


class Verified(Contract):
    """What an envelope proves.

    Args:
        keyid: Id the envelope names for the key; the signature itself was checked with the key given.
        output: Digest of the output, the statement's subject.
        output_checked: Whether the output itself was given and has that digest.
        statement: The in-toto statement.
    """

    keyid: str
    output: Digest
    output_checked: bool
    statement: dict[str, Any] = Field(default_factory=dict)


def verify_envelope(envelope: bytes, public_key_pem: bytes | str, *, output: bytes | str | None = None) -> Verified:
    """Check a DSSE envelope, its statement, and that it is about a given output.

    The envelope must be in the exact form that Prism writes, so that a change of any byte is noticed,
    also of one outside the signed payload.

    Args:
        envelope: The envelope's bytes (JSON).
        public_key_pem: The Ed25519 public key that must have signed it, in PEM.
        output: The output it should be about; text stands for its UTF-8 bytes.

    Returns:
        What was proven.

    Raises:
        ProvenanceInvalid: The envelope does not prove it; the message says why.
    """
    key = _public_key(public_key_pem)
    document = _parse(envelope)
    payload, signature, keyid = _fields(document)
    if envelope != envelope_bytes(payload, signature, keyid):
        raise ProvenanceInvalid("the envelope is not in the form it was written in: it was altered")
    if keyid != keyid_of(key):
        raise ProvenanceInvalid("the envelope was signed by another key", expected=keyid_of(key), found=keyid)
    try:
        key.verify(signature, pae(PAYLOAD_TYPE, payload))
    except InvalidSignature:
        raise ProvenanceInvalid(
            "the signature does not fit the payload: one of them was altered, or another key signed it",
            keyid=keyid,
        ) from None
    statement = _statement(payload)
    subject = _subject(statement)
    _check_output(subject, output)
    return Verified(keyid=keyid, output=subject, output_checked=output is not None, statement=statement)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature is made over (pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_bytes(payload: bytes, signature: bytes, keyid: str) -> bytes:
    """Return the one form in which envelopes are written."""
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def keyid_of(key: Ed25519PublicKey) -> str:
    """Return the id of a key: SHA-256 of its raw 32 bytes, in hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def _public_key(pem: bytes | str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, TypeError) as fault:
        raise ProvenanceInvalid(f"the public key is not in PEM form: {fault}") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise ProvenanceInvalid("the public key is not an Ed25519 key")
    return key


def _parse(envelope: bytes) -> dict[str, Any]:
    if len(envelope) > _MAX_ENVELOPE_BYTES:
        raise ProvenanceInvalid(f"the envelope is larger than {_MAX_ENVELOPE_BYTES} bytes")
    try:
        document = json.loads(envelope)
    except (ValueError, RecursionError) as fault:
        raise ProvenanceInvalid(f"the envelope is not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise ProvenanceInvalid("the envelope is not a JSON object")
    return document


def _fields(document: dict[str, Any]) -> tuple[bytes, bytes, str]:
    """Return payload, signature and key id of an envelope with one signature."""
    if document.get("payloadType") != PAYLOAD_TYPE:
        raise ProvenanceInvalid(
            f"the envelope's payloadType is not {PAYLOAD_TYPE}", found=str(document.get("payloadType"))[:200]
        )
    try:
        (entry,) = document["signatures"]
        payload = base64.b64decode(document["payload"], validate=True)
        signature = base64.b64decode(entry["sig"], validate=True)
        keyid = entry["keyid"]
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ProvenanceInvalid("the envelope is not DSSE with one signature") from None
    if not isinstance(keyid, str):
        raise ProvenanceInvalid("the envelope is not DSSE with one signature")
    return payload, signature, keyid


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProvenanceInvalid("the signed payload is not JSON") from None
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise ProvenanceInvalid("the signed payload is not an in-toto Statement v1")
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise ProvenanceInvalid("the statement is not SLSA provenance v1")
    return statement


def _subject(statement: dict[str, Any]) -> Digest:
    try:
        (subject,) = statement["subject"]
        digest = str(subject["digest"]["sha256"])
    except (KeyError, TypeError, ValueError):
        raise ProvenanceInvalid("the statement has not exactly one subject with a SHA-256 digest") from None
    return f"sha256:{digest}"


def _check_output(subject: Digest, output: bytes | str | None) -> None:
    if output is None:
        return
    found = digest_of(output.encode() if isinstance(output, str) else output)
    if found != subject:
        raise ProvenanceInvalid(
            "the output is not the one that was sealed: its digest differs", expected=subject, found=found
        )
