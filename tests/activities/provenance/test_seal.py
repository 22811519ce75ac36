"""What is sealed can be verified by anybody with the public key, and nothing else can."""

import asyncio
import base64
import contextlib
import hashlib
import json
import multiprocessing
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)
from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.provenance.activity import ProvenanceActivities
from activities.provenance.contracts import ProvenanceInvalid, SealRequest, SigningKeyUnusable
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.keys import KeySet
from activities.provenance.statement import build_statement, statement_bytes
from activities.provenance.uris import PAYLOAD_TYPE
from activities.provenance.verify import verify_envelope
from temporal.contract import StepRef

OUTPUT = "The answer, mit Umlaut: ä"
REQUEST = SealRequest(
    step=StepRef(run="run1", row="board/task", step="provenance"),
    output=digest_of(OUTPUT.encode()),
    row_digest=digest_of(b"row"),
    plan=digest_of(b"plan"),
    prompts=(digest_of(b"p1"), digest_of(b"p2")),
    models=("local/smollm2", "openai/gpt"),
    decision_digest=digest_of(b"decision"),
    policy=digest_of(b"policy"),
    code_result=digest_of(b"code"),
    verdicts=({"criterion": "max_words: 5", "basis": "proven", "passed": "true"},),
    review={"decision": "approved", "by": "ada"},
    started_at="2026-01-01T00:00:00Z",
    finished_at="2026-01-01T00:00:01Z",
)


@pytest.fixture
def signer(tmp_path: Path) -> KeyFileSigner:
    return KeyFileSigner.open(tmp_path / "keys" / "signing.pem")


async def sealed(signer: KeyFileSigner) -> bytes:
    return await signer.sign(statement_bytes(build_statement(REQUEST)), PAYLOAD_TYPE)


async def test_a_seal_is_stored_and_verifies_with_its_output(signer: KeyFileSigner, tmp_path: Path) -> None:
    store = FolderArtifactStore(tmp_path / "artifacts")
    activities = ProvenanceActivities(signer, store)
    seal = await ActivityEnvironment().run(activities.seal, REQUEST)
    envelope = await store.get(seal.envelope)
    verified = verify_envelope(envelope, signer.public_key_pem, output=OUTPUT)
    assert verified.output_checked
    assert verified.output == REQUEST.output
    assert verified.keyid == seal.keyid == signer.keyid
    assert await signer.verify(envelope) == verified.statement


async def test_sealing_again_is_the_same_artifact(signer: KeyFileSigner, tmp_path: Path) -> None:
    activities = ProvenanceActivities(signer, FolderArtifactStore(tmp_path / "artifacts"))
    environment = ActivityEnvironment()
    assert await environment.run(activities.seal, REQUEST) == await environment.run(activities.seal, REQUEST)


def test_the_statement_is_slsa_provenance_with_every_digest() -> None:
    statement = build_statement(REQUEST)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    (subject,) = statement["subject"]
    assert f"sha256:{subject['digest']['sha256']}" == REQUEST.output
    predicate = statement["predicate"]
    assert predicate["runDetails"]["metadata"] == {
        "invocationId": "catalog/run1/row/board/task/provenance/0",
        "startedOn": "2026-01-01T00:00:00Z",
        "finishedOn": "2026-01-01T00:00:01Z",
    }
    text = statement_bytes(statement).decode()
    for digest in (
        REQUEST.row_digest,
        REQUEST.plan,
        *REQUEST.prompts,
        REQUEST.decision_digest,
        REQUEST.policy,
    ):
        assert digest.removeprefix("sha256:") in text
    assert hashlib.sha256(b"code").hexdigest() in text
    for word in ("local/smollm2", "max_words: 5", "approved"):
        assert word in text


async def test_a_foreign_verifier_accepts_the_envelope(signer: KeyFileSigner) -> None:
    """DSSE as its specification says, with nothing but the cryptography package."""
    envelope = json.loads(await sealed(signer))
    payload = base64.standard_b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    pae = b"DSSEv1 " + f"{len(kind)} {kind} {len(payload)} ".encode() + payload
    key = load_pem_public_key(signer.public_key_pem)
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.standard_b64decode(envelope["signatures"][0]["sig"]), pae)


async def test_every_flipped_byte_of_the_envelope_is_detected(signer: KeyFileSigner) -> None:
    envelope = await sealed(signer)
    for position in range(len(envelope)):
        for mask in (0x01, 0x20, 0xFF):
            altered = bytearray(envelope)
            altered[position] ^= mask
            with pytest.raises(ProvenanceInvalid):
                verify_envelope(bytes(altered), signer.public_key_pem)


@pytest.mark.parametrize("change", [b" ", b"\n", b"{}", b"\x00"])
async def test_added_and_missing_bytes_are_detected(signer: KeyFileSigner, change: bytes) -> None:
    envelope = await sealed(signer)
    for altered in (envelope + change, change + envelope, envelope[:-1], b"", change):
        with pytest.raises(ProvenanceInvalid):
            verify_envelope(altered, signer.public_key_pem)


async def test_another_output_is_detected(signer: KeyFileSigner) -> None:
    with pytest.raises(ProvenanceInvalid, match="digest differs"):
        verify_envelope(await sealed(signer), signer.public_key_pem, output=OUTPUT + "!")


async def test_a_foreign_key_is_detected(signer: KeyFileSigner) -> None:
    stranger = KeyFileSigner(Ed25519PrivateKey.generate())
    with pytest.raises(ProvenanceInvalid, match="another key"):
        verify_envelope(await sealed(stranger), signer.public_key_pem)
    forged = (await sealed(stranger)).replace(stranger.keyid.encode(), signer.keyid.encode())
    with pytest.raises(ProvenanceInvalid, match="signature"):
        verify_envelope(forged, signer.public_key_pem)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"no json", "not JSON"),
        (b"[]", "not an in-toto Statement"),
        (b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "other"}', "not SLSA"),
        (
            b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"}',
            "has no subject",
        ),
    ],
)
async def test_a_signed_payload_that_is_no_provenance_is_refused(
    signer: KeyFileSigner, payload: bytes, why: str
) -> None:
    with pytest.raises(ProvenanceInvalid, match=why):
        verify_envelope(await signer.sign(payload, PAYLOAD_TYPE), signer.public_key_pem)


async def test_only_statements_are_signed(signer: KeyFileSigner) -> None:
    with pytest.raises(ValueError, match="in-toto"):
        await signer.sign(b"{}", "text/plain")


def test_a_public_key_that_is_none_is_refused() -> None:
    with pytest.raises(ProvenanceInvalid, match="PEM"):
        verify_envelope(b"{}", "no key")


def test_every_flipped_bit_of_a_public_key_makes_another_key_or_none(signer: KeyFileSigner) -> None:
    """One of them names a key type that the cryptography library has not heard of."""
    pem = signer.public_key_pem
    for position in range(len(pem) * 8):
        altered = bytearray(pem)
        altered[position // 8] ^= 1 << position % 8
        with contextlib.suppress(ProvenanceInvalid):
            assert KeySet([bytes(altered)]).pems != {signer.keyid: bytes(altered)}


def test_a_new_key_file_is_private_and_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "signing.pem"
    first = KeyFileSigner.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert [file.name for file in path.parent.iterdir()] == ["signing.pem"]
    assert KeyFileSigner.open(path).keyid == first.keyid


def _keyid(path: Path) -> str:
    return KeyFileSigner.open(path).keyid


def test_processes_that_open_a_new_key_at_once_get_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        for attempt in range(10):
            assert len(set(pool.map(_keyid, [tmp_path / f"{attempt}.pem"] * 8, chunksize=1))) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    KeyFileSigner.open(path)
    path.chmod(mode)
    with pytest.raises(SigningKeyUnusable, match="chmod 600"):
        KeyFileSigner.open(path)


async def test_a_file_that_holds_no_usable_key_is_refused(tmp_path: Path) -> None:
    rsa = generate_private_key(public_exponent=65_537, key_size=2_048)
    texts = {
        "empty": (b"", "PKCS#8"),
        "rsa": (rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "Ed25519"),
    }
    for name, (text, why) in texts.items():
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_bytes(text)
        with pytest.raises(SigningKeyUnusable, match=why):
            KeyFileSigner.open(path)
    with pytest.raises(SigningKeyUnusable, match="cannot be used"):
        KeyFileSigner.open(tmp_path / "empty" / "below-a-file")


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    KeyFileSigner.open(tmp_path / "real.pem")
    (tmp_path / "link.pem").symlink_to(tmp_path / "real.pem")
    with pytest.raises(SigningKeyUnusable):
        KeyFileSigner.open(tmp_path / "link.pem")


async def test_sealing_takes_less_than_a_millisecond_of_processor_time(signer: KeyFileSigner) -> None:
    await sealed(signer)
    begin = time.process_time()
    for _ in range(200):
        await sealed(signer)
    assert (time.process_time() - begin) / 200 < 0.001


async def test_seals_made_at_once_are_all_whole(signer: KeyFileSigner, tmp_path: Path) -> None:
    store = FolderArtifactStore(tmp_path / "artifacts")
    activities = ProvenanceActivities(signer, store)
    requests = [REQUEST.model_copy(update={"output": digest_of(str(n % 5).encode())}) for n in range(40)]
    seals = await asyncio.gather(*(activities.seal(request) for request in requests))
    assert len({seal.envelope for seal in seals}) == 5
    for n, seal in enumerate(seals):
        verify_envelope(await store.get(seal.envelope), signer.public_key_pem, output=str(n % 5))
