"""The proof of one row shows that it is one of those that were sealed, and tells nothing of the others."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.provenance.bundle import ENVELOPES_FILE, INCLUSION_FILE
from activities.provenance.bundle_verify import BundleReport, verify_bundle
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.keys import KeySet
from activities.provenance.leaf import Leaf, canonical
from activities.provenance.run_statement import ROWS_FILE
from tests.activities.provenance.proofs import SealedRun, packed, unpacked

Files = dict[str, bytes]
SIGNER = KeyFileSigner(Ed25519PrivateKey.generate())
KEY = KeySet([SIGNER.public_key_pem])


@pytest.fixture(scope="module")
async def run(tmp_path_factory: pytest.TempPathFactory) -> SealedRun:
    run = SealedRun(tmp_path_factory.mktemp("single"), rows=11)
    await run.whole(SIGNER)
    return run


@pytest.fixture(scope="module")
async def proof(run: SealedRun) -> Files:
    return unpacked(await run.proof(SIGNER.public_key_pem, row="row-4"))


def verified(run: SealedRun, files: Files) -> BundleReport:
    return verify_bundle(packed(files, run.settings.home / "tampered.zip"), KEY)


async def test_every_row_is_proven_alone_also_one_without_an_envelope(run: SealedRun) -> None:
    for row in run.rows:
        report = verified(run, unpacked(await run.proof(SIGNER.public_key_pem, row=row)))
        assert (report.valid, report.reason, report.row, report.rows) == (True, "", row, 11)


def test_nothing_is_told_of_the_other_rows(proof: Files) -> None:
    assert b"row-4" in proof[ROWS_FILE]
    assert b"row-5" not in b"".join(proof.values())


async def test_a_row_that_is_not_there_has_no_proof(run: SealedRun) -> None:
    with pytest.raises(ProvenanceInvalid, match="has no row row-99"):
        await run.proof(SIGNER.public_key_pem, row="row-99")


def _another_place(files: Files) -> None:
    files[INCLUSION_FILE] = canonical({**json.loads(files[INCLUSION_FILE]), "index": 4})


def _fewer_rows(files: Files) -> None:
    files[INCLUSION_FILE] = canonical({**json.loads(files[INCLUSION_FILE]), "size": 10})


def _shorter_path(files: Files) -> None:
    told = json.loads(files[INCLUSION_FILE])
    files[INCLUSION_FILE] = canonical({**told, "path": told["path"][:-1]})


def _another_end(files: Files) -> None:
    leaf = Leaf.parse(files[ROWS_FILE].strip())
    files[ROWS_FILE] = leaf.model_copy(update={"attempt": 2}).data + b"\n"


def _two_rows(files: Files) -> None:
    files[ROWS_FILE] *= 2


def _no_row(files: Files) -> None:
    files[ROWS_FILE] = b""


def _no_envelope(files: Files) -> None:
    files[ENVELOPES_FILE] = b""


def _two_envelopes(files: Files) -> None:
    files[ENVELOPES_FILE] *= 2


def _no_path(files: Files) -> None:
    del files[INCLUSION_FILE]


def _nonsense(files: Files) -> None:
    files[INCLUSION_FILE] = b'{"index": -1, "path": ["x"], "size": 1}'


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_another_place, "not one of those that were sealed"),
        (_fewer_rows, "not one of those that were sealed"),
        (_shorter_path, "not one of those that were sealed"),
        (_another_end, "not one of those that were sealed"),
        (_two_rows, "not the proof of a single row"),
        (_no_row, "not the proof of a single row"),
        (_no_envelope, "envelope of row row-4 is missing"),
        (_two_envelopes, "or one was added"),
        (_no_path, "row 1 of the plan is missing"),
        (_nonsense, "inclusion.json is not as Prism writes it"),
    ],
)
def test_tampering_is_noticed(run: SealedRun, proof: Files, tamper: Callable[[Files], None], why: str) -> None:
    files = dict(proof)
    tamper(files)
    report = verified(run, files)
    assert not report.valid
    assert why in report.reason


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_flipped_bit_of_the_row_or_its_path_is_noticed(run: SealedRun, proof: Files, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([ROWS_FILE, INCLUSION_FILE, ENVELOPES_FILE]))
    place = data.draw(st.integers(0, len(proof[name]) - 1))
    altered = bytearray(proof[name])
    altered[place] ^= 1 << data.draw(st.integers(0, 7))
    assert not verified(run, {**proof, name: bytes(altered)}).valid
