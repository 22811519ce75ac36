"""Encrypts what Temporal stores: payloads, failure messages and stack traces."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, PayloadCodec

from temporal.errors import PrismError
from temporal.failures import EncodedFailures
from temporal.key_ring import KeyRing
from temporal.names import ErrorCode

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
NONCE_BYTES: Final = 12
_PURPOSE: Final = "prism/temporal-payload/1"


class PayloadTampered(PrismError):
    """An encrypted payload is not what was written, or was written for another namespace."""

    code = ErrorCode.PAYLOAD_TAMPERED


class EncryptionCodec(PayloadCodec):
    """AES-256-GCM with a random nonce. What is not encrypted passes, so that it can be switched on later.

    Args:
        ring: The keys.
        namespace: Temporal namespace; a payload of another does not decrypt.
    """

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        self._ring = ring
        self._namespace = namespace

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads encrypted with the newest key."""
        key_id, cipher = self._ring.newest()
        bound = self._bound(key_id)
        encrypted = []
        for payload in payloads:
            nonce = os.urandom(NONCE_BYTES)
            data = nonce + cipher.encrypt(nonce, payload.SerializeToString(), bound)
            encrypted.append(Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=data))
        return encrypted

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Return the payloads as they were before ``encode``.

        Raises:
            UnknownEncryptionKey: The key of one is not in the ring.
            PayloadTampered: One was changed.
        """
        return [self._decoded(payload) for payload in payloads]

    def _decoded(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode("ascii", "replace")
        cipher = self._ring.get(key_id)
        nonce, data = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, data, self._bound(key_id)))
        except (InvalidTag, ValueError, DecodeError) as fault:
            message = f"an encrypted payload of key {key_id} was changed, or belongs to another namespace"
            raise PayloadTampered(message, key=key_id) from fault

    def _bound(self, key_id: str) -> bytes:
        return f"{_PURPOSE}\0{self._namespace}\0{key_id}".encode()


def encrypted_converter(ring: KeyRing, namespace: str) -> DataConverter:
    """Return Prism's data converter with encryption."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(ring, namespace),
        failure_converter_class=EncodedFailures,
    )
