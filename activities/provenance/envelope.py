"""DSSE envelopes in the one form in which Prism writes them, so that a change of any byte is noticed."""

import base64
import binascii
import json
from typing import Any, Final, NamedTuple

from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.uris import PAYLOAD_TYPE

MAX_ENVELOPE_BYTES: Final = 16 * 1024 * 1024


class SignedPayload(NamedTuple):
    """What an envelope holds; its signature is not checked yet."""

    payload: bytes
    signature: bytes
    keyid: str


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature is made over (pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_bytes(payload: bytes, signature: bytes, keyid: str) -> bytes:
    """Return the one form in which envelopes are written: a line of JSON."""
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def parse_envelope(envelope: bytes) -> SignedPayload:
    """Return what an envelope holds.

    Raises:
        ProvenanceInvalid: It is not an envelope in the form that Prism writes.
    """
    found = _fields(_parse(envelope))
    if envelope != envelope_bytes(found.payload, found.signature, found.keyid):
        raise ProvenanceInvalid("the envelope is not in the form it was written in: it was altered")
    return found


def _parse(envelope: bytes) -> dict[str, Any]:
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise ProvenanceInvalid(f"the envelope is larger than {MAX_ENVELOPE_BYTES} bytes")
    try:
        document = json.loads(envelope)
    except (ValueError, RecursionError) as fault:
        raise ProvenanceInvalid(f"the envelope is not JSON: {fault}") from None
    if not isinstance(document, dict):
        raise ProvenanceInvalid("the envelope is not a JSON object")
    return document


def _fields(document: dict[str, Any]) -> SignedPayload:
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
    return SignedPayload(payload=payload, signature=signature, keyid=keyid)
