"""Verification of the proof of a run from its file alone: every signature, every row, every byte."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

from pydantic import ConfigDict, Field, NonNegativeInt, StringConstraints, ValidationError

from activities.artifacts.contracts import Digest, digest_of
from activities.provenance.bundle import (
    ENVELOPES_FILE,
    FILES,
    INCLUSION_FILE,
    KEY_FOLDER,
    LEFT_FOLDER,
    LEFT_README,
    LEFT_README_FILE,
    README,
    README_COUNTERSIGNED,
    README_FILE,
    SEALS_FILE,
    key_file,
    left_file,
)
from activities.provenance.contracts import CountersignatureVerifier, ProvenanceInvalid
from activities.provenance.countersignatures import Countersignatures
from activities.provenance.envelope import MAX_ENVELOPE_BYTES
from activities.provenance.keys import KeySet
from activities.provenance.leaf import MAX_LEAF_BYTES, Leaf, canonical
from activities.provenance.merkle import ALGORITHM, root_of_proof
from activities.provenance.rows import RowSum
from activities.provenance.run_statement import ROWS_FILE, SBOM_FILE, SIGSTORE_FILE, RunPredicate, run_predicate
from activities.provenance.statement import digest_set, named_row
from activities.provenance.uris import RUN_SEAL, SLSA_PROVENANCE
from activities.provenance.verify import Verified, verify_envelope
from temporal.contract import Contract

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_KEYS: Final = 1000
_CHUNK: Final = 256 * 1024
MAX_SEALS: Final = 10_000
# What reading a file that is no zip, or a damaged one, may raise.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(RuntimeError, OSError, ValueError, OverflowError, IndexError),
)


class Inclusion(Contract):
    """Where a row stands among those that were sealed.

    Args:
        index: Its place in the plan, from 0.
        path: The hashes that lead from it to the root, in hex.
        size: How many rows there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: NonNegativeInt
    path: tuple[Hash, ...] = Field(max_length=64)
    size: NonNegativeInt


class BundleReport(Contract):
    """What a bundle proves.

    Args:
        valid: Whether everything in it holds.
        reason: Why not, where it does not.
        pinned: Whether signatures were checked with keys from elsewhere: only that tells who made it.
        keys: Ids of the keys that signed.
        number: Which of the run's ends it is about, from 1.
        catalog: Digest of the catalog as submitted.
        row: The one row it is about; empty where it is about all.
        root: Root of the Merkle tree over the rows.
        sealed: How many rows have a signed statement.
        files: How many files that programs left are in it.
        countersigned: Whether somebody signed the last seal by sigstore too.
        identity: Who that was, where it was checked.
    """

    valid: bool
    reason: str = ""
    pinned: bool
    keys: tuple[str, ...] = ()
    run: str = ""
    row: str = ""
    title: str = ""
    state: str = ""
    counts: dict[str, int] = Field(default_factory=dict)
    finished_at: str = ""
    number: NonNegativeInt = 0
    catalog: str = ""
    plan: str = ""
    root: str = ""
    rows: NonNegativeInt = 0
    sealed: NonNegativeInt = 0
    files: NonNegativeInt = 0
    countersigned: bool = False
    identity: str = ""


def verify_bundle(
    path: Path, trusted: KeySet | None = None, identity: CountersignatureVerifier | None = None
) -> BundleReport:
    """Verify a bundle; it is read once, as small as one of its lines.

    Args:
        path: The file.
        trusted: The keys that count, from elsewhere; without them the bundle's own do.
        identity: Who must have signed the seals by sigstore too; without it that is not asked.

    Returns:
        What it proves, or the first thing that is wrong with it.
    """
    pinned = trusted is not None
    try:
        with zipfile.ZipFile(path) as file:
            return _Bundle(file, trusted, identity).report(pinned=pinned)
    except ProvenanceInvalid as error:
        return BundleReport(valid=False, reason=error.message, pinned=pinned)
    except _UNREADABLE as error:
        return BundleReport(
            valid=False, reason=f"the file cannot be read: {error or type(error).__name__}", pinned=pinned
        )


class _Bundle:
    def __init__(
        self, file: zipfile.ZipFile, trusted: KeySet | None, identity: CountersignatureVerifier | None
    ) -> None:
        self._file = file
        self._countersignatures = Countersignatures(identity)
        self._keys = self._own_keys()
        self._trusted = trusted or self._keys
        self._signed_by: set[str] = set()
        self._checked: set[str] = set()

    def report(self, *, pinned: bool) -> BundleReport:
        if self._small(README_FILE) != (README_COUNTERSIGNED if self._is_countersigned else README):
            raise ProvenanceInvalid(f"{README_FILE} was altered")
        told, lines = self._seals()
        row = self._single(told) if self._is_single else self._rows(told, lines)
        if digest_set(digest_of(self._small(SBOM_FILE))) != told.builder.sbom.digest:
            raise ProvenanceInvalid(f"{SBOM_FILE} was altered: it is not the one that was sealed")
        if self._checked:
            if LEFT_README_FILE not in self._left or self._small(LEFT_README_FILE) != LEFT_README:
                raise ProvenanceInvalid(f"{LEFT_README_FILE} is missing or was altered")
            self._left.remove(LEFT_README_FILE)
        if added := self._left - self._checked:
            raise ProvenanceInvalid(f"the file {min(added)} was added: no row has it")
        if idle := set(self._keys.ids) - self._signed_by:
            raise ProvenanceInvalid(f"the key {min(idle)} was added: it signed nothing here")
        return BundleReport(
            valid=True,
            pinned=pinned,
            row=row,
            keys=tuple(sorted(self._signed_by)),
            finished_at=told.finished_on,
            root=told.rows.root,
            rows=told.rows.size,
            sealed=told.rows.sealed,
            files=len(self._checked),
            countersigned=told.countersigned is not None,
            identity=self._countersignatures.identity,
            **told.model_dump(include={"run", "title", "state", "counts", "number", "catalog", "plan"}),
        )

    def _own_keys(self) -> KeySet:
        """Return the keys that are in the bundle, after a look at what is in it at all."""
        names = self._file.namelist()
        keys = [name for name in names if name.startswith(KEY_FOLDER)]
        self._left = {name for name in names if name.startswith(LEFT_FOLDER)}
        others = set(names) - set(keys) - self._left
        self._is_single = INCLUSION_FILE in others
        self._is_countersigned = SIGSTORE_FILE in others
        known = others - {INCLUSION_FILE, SIGSTORE_FILE} == set(FILES)
        if len(names) != len(set(names)) or not known or len(keys) > MAX_KEYS:
            raise ProvenanceInvalid("the files in it are not those of a proof", found=", ".join(sorted(names))[:500])
        own = KeySet(self._small(name) for name in keys)
        if {key_file(keyid): pem for keyid, pem in own.pems.items()} != {name: self._small(name) for name in keys}:
            raise ProvenanceInvalid("a key in it was altered, or is not filed under its own id")
        return own

    def _seals(self) -> tuple[RunPredicate, Digest]:
        """Return what the last seal says and the digest of the rows' lines, after the chain of seals was checked."""
        told: RunPredicate | None = None
        rows = before = ""
        countersignatures = self._lines(SIGSTORE_FILE, MAX_ENVELOPE_BYTES) if self._is_countersigned else iter(())
        for number, line in enumerate(self._lines(SEALS_FILE, MAX_ENVELOPE_BYTES), 1):
            verified = self._verified(line, "the seal of the run", RUN_SEAL)
            previous, told = told, run_predicate(verified.statement)
            if told.number != number or number > MAX_SEALS:
                raise ProvenanceInvalid(f"seal {number} is missing, or the seals are not in their order")
            if (told.previous.envelope if told.previous else "") != before:
                raise ProvenanceInvalid(f"seal {number} does not continue the one before it")
            if previous and (previous.run, previous.plan) != (told.run, told.plan):
                raise ProvenanceInvalid(f"seal {number} is of another run")
            self._countersignatures.check(verified.statement, told, countersignatures)
            rows, before = verified.output, digest_of(line)
        if told is None:
            raise ProvenanceInvalid("there is no seal of the run in it")
        self._countersignatures.end(countersignatures)
        if told.rows.algorithm != ALGORITHM:
            raise ProvenanceInvalid(f"the rows are summed up by {told.rows.algorithm}, which is not known here")
        return told, rows

    def _rows(self, told: RunPredicate, lines: Digest) -> str:
        """Check that the rows are those that were sealed, all of them and in their order, each with its envelope."""
        total, sealed = RowSum(), told.rows
        envelopes = self._lines(ENVELOPES_FILE, MAX_ENVELOPE_BYTES)
        for place, line in enumerate(self._lines(ROWS_FILE, MAX_LEAF_BYTES)):
            leaf = Leaf.parse(line)
            if leaf.index != place:
                raise ProvenanceInvalid(
                    f"row {place + 1} of the plan is missing or not in its place: {leaf.row} is there"
                )
            if place >= sealed.size:
                raise ProvenanceInvalid(f"row {leaf.row} was added: {sealed.size} rows were sealed")
            total.take(leaf)
            if leaf.envelope is not None:
                self._envelope(leaf, next(envelopes, b""), told)
        found = total.rows
        if found.size != sealed.size:
            raise ProvenanceInvalid(f"rows are missing: {sealed.size} were sealed, {found.size} are there")
        if found != (sealed.root, sealed.size, sealed.sealed, lines):
            raise ProvenanceInvalid("the rows are not those that were sealed: one was altered, or they changed places")
        if next(envelopes, None) is not None:
            raise ProvenanceInvalid("an envelope was added: no row has it")
        return ""

    def _single(self, told: RunPredicate) -> str:
        """Check that the path leads from the one row to the root that was sealed; return its id."""
        stated = self._small(INCLUSION_FILE)
        try:
            inclusion = Inclusion.model_validate_json(stated)
        except ValidationError:
            raise ProvenanceInvalid(f"{INCLUSION_FILE} is not as Prism writes it") from None
        lines = list(islice(self._lines(ROWS_FILE, MAX_LEAF_BYTES), 2))
        envelopes = list(islice(self._lines(ENVELOPES_FILE, MAX_ENVELOPE_BYTES), 2))
        if len(lines) != 1 or canonical(inclusion.model_dump()) != stated:
            raise ProvenanceInvalid("it is not the proof of a single row: something was altered or added")
        leaf = Leaf.parse(lines[0])
        root = root_of_proof(leaf.data, inclusion.index, inclusion.size, inclusion.path)
        if root != told.rows.root or (leaf.index, told.rows.size) != (inclusion.index, inclusion.size):
            raise ProvenanceInvalid(f"row {leaf.row} is not one of those that were sealed, or was altered")
        if len(envelopes) != (leaf.envelope is not None):
            raise ProvenanceInvalid(f"the envelope of row {leaf.row} is missing, or one was added")
        if envelopes:
            self._envelope(leaf, envelopes[0], told)
        return leaf.row

    def _envelope(self, leaf: Leaf, envelope: bytes, told: RunPredicate) -> None:
        what = f"the envelope of row {leaf.row}"
        if digest_of(envelope) != leaf.envelope:
            raise ProvenanceInvalid(f"{what} is missing, was altered, or is not in its place")
        verified = self._verified(envelope, what, SLSA_PROVENANCE)
        if named_row(verified.statement) != (told.run, leaf.row, told.plan):
            raise ProvenanceInvalid(f"{what} is about another row")
        if verified.output != leaf.output:
            raise ProvenanceInvalid(f"{what} is about another output than the row's")
        for path, digest in verified.files.items():
            self._file_of(leaf.row, path, digest)

    def _file_of(self, row: str, path: str, digest: Digest) -> None:
        """Check that a file that a row's program left is there, as it was sealed."""
        name = left_file(digest)
        if name in self._checked:
            return
        if name not in self._left:
            raise ProvenanceInvalid(f"the file {path} of row {row} is missing")
        found = hashlib.sha256()
        with self._file.open(name) as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
        if f"sha256:{found.hexdigest()}" != digest:
            raise ProvenanceInvalid(f"the file {path} of row {row} was altered")
        self._checked.add(name)

    def _verified(self, envelope: bytes, what: str, predicate: str) -> Verified:
        try:
            verified = verify_envelope(envelope, self._trusted, predicate=predicate)
        except ProvenanceInvalid as error:
            raise ProvenanceInvalid(f"{what} does not hold: {error.message}", **error.details) from None
        if verified.keyid not in self._keys.ids:
            raise ProvenanceInvalid(f"the key {verified.keyid} is missing", keyid=verified.keyid)
        self._signed_by.add(verified.keyid)
        return verified

    def _small(self, name: str) -> bytes:
        with self._file.open(name) as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ProvenanceInvalid(f"{name} is larger than {MAX_FILE_BYTES} bytes")
        return data

    def _lines(self, name: str, longest: int) -> Iterator[bytes]:
        with self._file.open(name) as file:
            while line := file.readline(longest + 1):
                if not line.endswith(b"\n"):
                    raise ProvenanceInvalid(f"a line of {name} is cut off, or longer than {longest} bytes")
                yield line[:-1]
