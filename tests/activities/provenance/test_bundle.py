"""A run's proof holds by itself, and every kind of tampering with it is noticed."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.provenance.bundle import ENVELOPES_FILE, README_FILE, SEALS_FILE, key_file
from activities.provenance.bundle_verify import BundleReport, verify_bundle
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.keys import KeySet
from activities.provenance.leaf import Leaf
from activities.provenance.run_statement import ROWS_FILE, SBOM_FILE
from tests.activities.provenance.proofs import SealedRun, packed, unpacked

Files = dict[str, bytes]


@dataclass(frozen=True)
class Proof:
    """A bundle under test."""

    signer: KeyFileSigner
    data: bytes
    folder: Path

    @property
    def files(self) -> Files:
        return unpacked(self.data)

    @property
    def key(self) -> KeySet:
        return KeySet([self.signer.public_key_pem])

    def verified(self, files: Files, key: KeySet | None = None) -> BundleReport:
        return verify_bundle(packed(files, self.folder / "tampered.zip"), key)


@pytest.fixture(scope="module")
async def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """The proof of a run that ended, was retried and ended again."""
    home = tmp_path_factory.mktemp("proof")
    signer = KeyFileSigner(Ed25519PrivateKey.generate())
    run = SealedRun(home)
    await run.whole(signer)
    await run.end("row-5", "Output at the second try", signer, attempt=2)
    await run.seal(signer, sequence=2)
    return Proof(signer, await run.proof(signer.public_key_pem), home)


def lines(files: Files, name: str) -> list[bytes]:
    return files[name].splitlines(keepends=True)


def test_a_proof_holds_by_itself_and_says_what_that_proves(proof: Proof) -> None:
    report = proof.verified(proof.files)
    assert (report.valid, report.reason, report.pinned) == (True, "", False)
    assert (report.run, report.rows, report.sealed, report.number) == ("run1", 5, 5, 2)
    assert report.keys == (proof.signer.keyid,)


def test_a_key_from_elsewhere_tells_who_made_it(proof: Proof) -> None:
    assert proof.verified(proof.files, proof.key).pinned
    assert proof.verified(proof.files, proof.key).valid


def test_the_proof_is_the_same_file_each_time_and_read_by_any_zip_program(proof: Proof) -> None:
    with zipfile.ZipFile(io.BytesIO(proof.data)) as file:
        assert file.testzip() is None
        assert file.namelist()[:5] == [README_FILE, SEALS_FILE, ROWS_FILE, ENVELOPES_FILE, SBOM_FILE]
    path = proof.folder / "as-written.zip"
    path.write_bytes(proof.data)
    assert verify_bundle(path, proof.key).valid


async def test_a_run_without_a_single_envelope_has_a_proof(tmp_path: Path) -> None:
    signer, run = KeyFileSigner(Ed25519PrivateKey.generate()), SealedRun(tmp_path, rows=1)
    await run.whole(signer)
    report = verify_bundle(packed(unpacked(await run.proof(signer.public_key_pem)), tmp_path / "proof.zip"))
    assert (report.valid, report.rows, report.sealed) == (True, 1, 0)


def _missing_row(files: Files) -> None:
    files[ROWS_FILE] = b"".join(lines(files, ROWS_FILE)[:2] + lines(files, ROWS_FILE)[3:])


def _missing_last_row(files: Files) -> None:
    files[ROWS_FILE] = b"".join(lines(files, ROWS_FILE)[:-1])
    files[ENVELOPES_FILE] = b"".join(lines(files, ENVELOPES_FILE)[:-1])


def _renumbered_without_a_row(files: Files) -> None:
    """As somebody would who knows the format: the row goes without a trace, and the seal alone gives it away."""
    rows = [Leaf.parse(line[:-1]) for line in lines(files, ROWS_FILE) if b'"row-3"' not in line]
    again = [row.model_copy(update={"index": place}) for place, row in enumerate(rows)]
    files[ROWS_FILE] = b"".join(row.data + b"\n" for row in again)
    del (kept := lines(files, ENVELOPES_FILE))[2]
    files[ENVELOPES_FILE] = b"".join(kept)


def _swapped_rows(files: Files) -> None:
    first, second, *rest = lines(files, ROWS_FILE)
    files[ROWS_FILE] = b"".join([second, first, *rest])


def _renumbered_swapped_rows(files: Files) -> None:
    rows = [Leaf.parse(line[:-1]) for line in lines(files, ROWS_FILE)]
    rows[0], rows[1] = rows[1], rows[0]
    again = [row.model_copy(update={"index": place}) for place, row in enumerate(rows)]
    files[ROWS_FILE] = b"".join(row.data + b"\n" for row in again)
    first, second, *rest = lines(files, ENVELOPES_FILE)
    files[ENVELOPES_FILE] = b"".join([second, first, *rest])


def _added_row(files: Files) -> None:
    last = Leaf.parse(lines(files, ROWS_FILE)[-1][:-1])
    added = last.model_copy(update={"index": last.index + 1, "row": "row-6", "envelope": None})
    files[ROWS_FILE] += added.data + b"\n"


def _another_state(files: Files) -> None:
    files[ROWS_FILE] = files[ROWS_FILE].replace(b'"state":"succeeded"', b'"state":"cancelled"', 1)


def _swapped_envelopes(files: Files) -> None:
    first, second, *rest = lines(files, ENVELOPES_FILE)
    files[ENVELOPES_FILE] = b"".join([second, first, *rest])


def _added_envelope(files: Files) -> None:
    files[ENVELOPES_FILE] += lines(files, ENVELOPES_FILE)[0]


def _missing_envelope(files: Files) -> None:
    files[ENVELOPES_FILE] = b"".join(lines(files, ENVELOPES_FILE)[:-1])


def _older_seal(files: Files) -> None:
    files[SEALS_FILE] = lines(files, SEALS_FILE)[0]


def _missing_first_seal(files: Files) -> None:
    files[SEALS_FILE] = lines(files, SEALS_FILE)[1]


def _no_seal(files: Files) -> None:
    files[SEALS_FILE] = b""


def _another_sbom(files: Files) -> None:
    files[SBOM_FILE] = json.dumps(json.loads(files[SBOM_FILE])).encode()


def _missing_file(files: Files) -> None:
    del files[SBOM_FILE]


def _added_file(files: Files) -> None:
    files["note.txt"] = b"all is well"


def _added_key(files: Files) -> None:
    stranger = KeyFileSigner(Ed25519PrivateKey.generate())
    files[key_file(stranger.keyid)] = stranger.public_key_pem


def _misnamed_key(files: Files) -> None:
    stranger = KeyFileSigner(Ed25519PrivateKey.generate())
    (name,) = [name for name in files if name.startswith("keys/")]
    files[name] = stranger.public_key_pem


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_missing_row, "row 3 of the plan is missing"),
        (_missing_last_row, "rows are missing: 5 were sealed, 4"),
        (_renumbered_without_a_row, "rows are missing: 5 were sealed, 4"),
        (_swapped_rows, "row 1 of the plan is missing or not in its place: row-2"),
        (_renumbered_swapped_rows, "they changed places"),
        (_added_row, "row row-6 was added"),
        (_another_state, "one was altered"),
        (_swapped_envelopes, "the envelope of row row-1 is missing, was altered, or is not in its place"),
        (_added_envelope, "an envelope was added"),
        (_missing_envelope, "the envelope of row row-5 is missing"),
        (_older_seal, "not those that were sealed"),
        (_missing_first_seal, "seal 1 is missing"),
        (_no_seal, "no seal"),
        (_another_sbom, "sbom.cdx.json was altered"),
        (_missing_file, "not those of a proof"),
        (_added_file, "not those of a proof"),
        (_added_key, "signed nothing here"),
        (_misnamed_key, "not filed under its own id"),
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
def test_tampering_is_noticed(proof: Proof, tamper: Callable[[Files], None], why: str, pinned: bool) -> None:
    files = proof.files
    tamper(files)
    report = proof.verified(files, proof.key if pinned else None)
    assert not report.valid
    assert why in report.reason


async def test_a_row_signed_by_a_foreign_key_is_noticed(proof: Proof, tmp_path: Path) -> None:
    """The row's record names an envelope that a stranger signed: the run's own seal vouches for no such key."""
    stranger, run = KeyFileSigner(Ed25519PrivateKey.generate()), SealedRun(tmp_path)
    await run.open()
    await run.end("row-1", "Output", stranger)
    await run.seal(proof.signer)
    files = unpacked(await run.proof(proof.signer.public_key_pem, stranger.public_key_pem))
    report = proof.verified(files, proof.key)
    assert not report.valid
    assert "the envelope of row row-1 does not hold: the envelope was signed by another key" in report.reason


async def test_a_proof_made_anew_with_a_foreign_key_is_whole_yet_not_by_the_pinned_key(
    proof: Proof, tmp_path: Path
) -> None:
    stranger, run = KeyFileSigner(Ed25519PrivateKey.generate()), SealedRun(tmp_path)
    await run.whole(stranger)
    files = unpacked(await run.proof(stranger.public_key_pem))
    alone = proof.verified(files)
    assert (alone.valid, alone.pinned) == (True, False)
    pinned = proof.verified(files, proof.key)
    assert (pinned.valid, pinned.pinned) == (False, True)
    assert "signed by another key" in pinned.reason


async def test_rows_signed_before_and_after_a_key_was_replaced_hold_together(tmp_path: Path) -> None:
    old, new = (KeyFileSigner(Ed25519PrivateKey.generate()) for _ in range(2))
    run = SealedRun(tmp_path, rows=3)
    await run.open()
    await run.end("row-1", "Output", old)
    await run.end("row-2", "Output", new)
    await run.block("row-3")
    await run.seal(new)
    keys = (old.public_key_pem, new.public_key_pem)
    path = packed(unpacked(await run.proof(*keys)), tmp_path / "proof.zip")
    assert set(verify_bundle(path, KeySet(keys)).keys) == {old.keyid, new.keyid}
    assert not verify_bundle(path, KeySet(keys[1:])).valid
    with pytest.raises(ProvenanceInvalid, match=f"public key {old.keyid} is not kept"):
        await run.proof(new.public_key_pem)


async def test_the_proof_of_one_run_does_not_pass_for_another(proof: Proof, tmp_path: Path) -> None:
    other = SealedRun(tmp_path, run="run2")
    await other.whole(proof.signer)
    files = proof.files
    foreign = unpacked(await other.proof(proof.signer.public_key_pem))
    files |= {name: foreign[name] for name in (ROWS_FILE, ENVELOPES_FILE)}
    assert not proof.verified(files, proof.key).valid


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_in_a_file_is_noticed(proof: Proof, data: st.DataObject) -> None:
    files = proof.files
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, len(files[name]) - 1))
    altered = bytearray(files[name])
    altered[place] ^= 1 << data.draw(st.integers(0, 7))
    assert not proof.verified({**files, name: bytes(altered)}).valid


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_bit_of_the_zip_is_noticed_or_leaves_every_file_as_it_is(proof: Proof, data: st.DataObject) -> None:
    """The container's own moments and padding carry nothing: a flip there that changes no file may pass."""
    altered = bytearray(proof.data)
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = proof.folder / "flipped.zip"
    path.write_bytes(altered)
    assert not verify_bundle(path).valid or unpacked(bytes(altered)) == proof.files


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_cut_or_lengthened_file_is_noticed(proof: Proof, data: st.DataObject) -> None:
    files = proof.files
    name = data.draw(st.sampled_from(sorted(files)))
    cut = data.draw(st.integers(0, len(files[name]) - 1))
    assert not proof.verified({**files, name: files[name][:cut]}).valid
    assert not proof.verified({**files, name: files[name] + data.draw(st.binary(min_size=1, max_size=9))}).valid


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_proof_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "proof.zip"
    path.write_bytes(content)
    report = verify_bundle(path)
    assert not report.valid
    assert report.reason


def test_a_file_that_is_stored_twice_is_refused(proof: Proof) -> None:
    path = packed(proof.files, proof.folder / "twice.zip")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as file:
        file.writestr(ROWS_FILE, proof.files[ROWS_FILE])
    assert "not those of a proof" in verify_bundle(path).reason
