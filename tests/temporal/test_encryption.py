"""Encryption of Temporal payloads: what is written comes back, and nothing else does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from temporal.codec import EncryptionCodec, PayloadTampered, encrypted_converter
from temporal.key_ring import KeyRing, KeyRingUnusable, UnknownEncryptionKey, rotate
from temporal.names import ErrorCode

CANARY = b"canary-prompt-text"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "encryption.keys"
    KeyRing.open(path)
    return path


def codec(path: Path, namespace: str = "default") -> EncryptionCodec:
    return EncryptionCodec(KeyRing.open(path), namespace)


def int_of_canary() -> None:
    raise RuntimeError(CANARY.decode())


def plain(data: bytes = CANARY) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


@given(data=st.binary(max_size=5000), metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=20)))
def test_what_is_encrypted_comes_back(keys: Path, data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    one = codec(keys)
    assert asyncio.run(one.decode(asyncio.run(one.encode([payload])))) == [payload]


async def test_the_text_and_its_encoding_are_hidden_and_no_two_ciphertexts_are_alike(keys: Path) -> None:
    one, other = await codec(keys).encode([plain(), plain()])
    assert one.metadata["encoding"] == b"binary/encrypted"
    assert one.metadata["encryption-key-id"].decode() in KeyRing(keys).ids
    assert CANARY not in one.SerializeToString()
    assert one.data != other.data


async def test_plain_payloads_of_before_pass_unchanged(keys: Path) -> None:
    assert await codec(keys).decode([plain()]) == [plain()]


@given(position=st.integers(min_value=0, max_value=10_000), bit=st.integers(min_value=0, max_value=7))
def test_any_changed_bit_is_refused(keys: Path, position: int, bit: int) -> None:
    one = codec(keys)
    (payload,) = asyncio.run(one.encode([plain()]))
    changed = bytearray(payload.data)
    changed[position % len(changed)] ^= 1 << bit
    payload.data = bytes(changed)
    with pytest.raises(PayloadTampered):
        asyncio.run(one.decode([payload]))


@pytest.mark.parametrize("cut", [lambda data: b"", lambda data: data[:5], lambda data: data[:-1]])
async def test_a_shortened_payload_is_refused(keys: Path, cut: Callable[[bytes], bytes]) -> None:
    (payload,) = await codec(keys).encode([plain()])
    payload.data = cut(payload.data)
    with pytest.raises(PayloadTampered):
        await codec(keys).decode([payload])


async def test_a_payload_of_another_namespace_is_refused(keys: Path) -> None:
    with pytest.raises(PayloadTampered):
        await codec(keys, "other").decode(await codec(keys).encode([plain()]))


async def test_after_a_rotation_a_running_process_encrypts_with_the_new_key_and_reads_the_old(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    running, reading = codec(path), codec(path)
    old = await running.encode([plain()])
    new_id = rotate(path)
    new = await running.encode([plain()])
    assert new[0].metadata["encryption-key-id"] == new_id.encode() != old[0].metadata["encryption-key-id"]
    assert await reading.decode([*old, *new]) == [plain(), plain()]


async def test_an_unknown_key_is_named(keys: Path, tmp_path: Path) -> None:
    written = await codec(keys).encode([plain()])
    with pytest.raises(UnknownEncryptionKey, match=KeyRing(keys).ids[0]) as raised:
        await codec(tmp_path / "others").decode(written)
    assert raised.value.code == ErrorCode.UNKNOWN_ENCRYPTION_KEY


async def test_an_unknown_key_fails_an_activity_for_good(keys: Path) -> None:
    failure = Failure()
    converter = encrypted_converter(KeyRing(keys), "default")
    await converter.encode_failure(UnknownEncryptionKey("no key", key="1"), failure)
    assert failure.application_failure_info.non_retryable
    assert failure.application_failure_info.type == ErrorCode.UNKNOWN_ENCRYPTION_KEY


async def test_messages_and_stack_traces_of_failures_are_encrypted_and_come_back(keys: Path) -> None:
    converter = encrypted_converter(KeyRing(keys), "default")
    failure = Failure()
    with pytest.raises(RuntimeError) as raised:
        int_of_canary()
    await converter.encode_failure(raised.value, failure)
    raw = failure.SerializeToString()
    assert CANARY not in raw
    assert b"test_encryption.py" not in raw
    back: Any = await converter.decode_failure(failure)
    assert CANARY.decode() in str(back)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyRing.open(path)
    rotate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(KeyRingUnusable, match="chmod 600"):
        KeyRing.open(path)


@pytest.mark.parametrize("content", ["", "nonsense\n", "0123456789abcdef c2hvcnQ=\n"])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyRingUnusable):
        KeyRing.open(path)
    assert path.read_text() == content
