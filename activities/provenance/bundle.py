"""The proof of a run as one file: what is in it, and how it is written as it is sent."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from typing import IO, Final

from activities.artifacts.contracts import ArtifactStore, Digest
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.envelope import parse_envelope
from activities.provenance.keys import KeySet
from activities.provenance.leaf import Leaf, canonical
from activities.provenance.merkle import inclusion_proof, leaf_hash
from activities.provenance.run_contracts import RunSeal, sealed_leaves
from activities.provenance.run_statement import ROWS_FILE, SBOM_FILE, SIGSTORE_FILE, run_predicate
from activities.provenance.uris import RUN_SEAL
from activities.provenance.verify import left_of, verify_envelope

README_FILE: Final = "README.txt"
SEALS_FILE: Final = "seals.jsonl"
ENVELOPES_FILE: Final = "envelopes.jsonl"
INCLUSION_FILE: Final = "inclusion.json"
KEY_FOLDER: Final = "keys/"
LEFT_FOLDER: Final = "files/"
FILES: Final = (README_FILE, SEALS_FILE, ROWS_FILE, ENVELOPES_FILE, SBOM_FILE)
# Part of the format, as every byte of a bundle is verified: another text needs another version of it.
README: Final = b"""Proof of a run of Prism Console, version 1.

Verify it with   prism verify THIS-FILE --key PUBLIC-KEY.pem
It needs no network. Get the public key from whoever ran the catalog, not from this file: a key that comes with
a proof shows that the proof is whole, not who made it.

seals.jsonl      The signed ends of the run, oldest first, one DSSE envelope a line. Each names the one before; the last
                 is signed over the Merkle root (RFC 6962, SHA-256) of rows.jsonl and over the SHA-256 of that file.
rows.jsonl       How each row ended, in the order of the plan, one a line. A line without its newline is a leaf.
envelopes.jsonl  The signed statement about each row that has one, in the same order, one DSSE envelope a line. Its
                 SHA-256, without the newline, stands in the row's line; its subject is the row's output.
inclusion.json   In the proof of a single row only: rows.jsonl and envelopes.jsonl then hold that row alone, and this
                 is its place, the number of rows, and the hashes that lead from it to the root (RFC 9162).
sbom.cdx.json    What the platform that ended the run is made of (CycloneDX). Its SHA-256 stands in the last seal.
keys/            The public keys (Ed25519) of all signatures. A file's name is the SHA-256 of the raw key.

Any verifier of DSSE and in-toto statements can check the envelopes.
"""
README_COUNTERSIGNED: Final = (
    README
    + b"""
sigstore.jsonl   What an identity signed besides the keys: a Sigstore bundle a line, for the seals that name one. Its
                 SHA-256, without the newline, stands in the seal; it signs that seal's statement without that name.
                 Who signed?   prism verify THIS-FILE --identity NAME ISSUER
"""
)
LEFT_README_FILE: Final = f"{LEFT_FOLDER}README.txt"
LEFT_README: Final = b"""The files that programs of the rows left. A file's name here is its SHA-256.

The statement about a row (envelopes.jsonl) has each of its files as a subject after the output, named RUN/ROW#PATH.
A proof without this folder is one of a run, or a row, whose programs left none.
"""
_CHUNK: Final = 256 * 1024
# Zip can tell no earlier moment. The moments that matter are in what is signed.
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)


async def bundle(
    seals: list[RunSeal], store: ArtifactStore, keys: KeySet, row: str | None = None
) -> AsyncIterator[bytes]:
    """Yield the bundle of a run (zip) as it is written: it is never whole in memory.

    Args:
        seals: The run's seals, oldest first.
        store: Where envelopes are.
        keys: All keys that ever signed here.
        row: The only row that is to be in it, with the path from there to the root; of the others nothing is told.

    Raises:
        ArtifactNotFound: An envelope is not there any more.
        ProvenanceInvalid: The key of a signature is not among ``keys``, or there is no such row.
    """
    signed = _Keyring(keys)
    rows = _whole(seals[-1], store, signed) if row is None else _single(seals[-1], store, signed, row)
    written = _Zip()
    async for name, data in _contents(seals, store, signed, rows):
        written.add(name, data)
        if piece := written.taken(_CHUNK):
            yield piece
    yield written.closed()


Pieces = AsyncIterator[tuple[str, bytes]]


async def _contents(seals: list[RunSeal], store: ArtifactStore, signed: "_Keyring", rows: Pieces) -> Pieces:
    """Yield what goes into the bundle, piece by piece, each with the name of its file."""
    envelopes = [await signed.envelope(store, seal.envelope) for seal in seals]
    countersigned = [digest for envelope in envelopes if (digest := _countersigned(envelope, signed.keys))]
    yield README_FILE, README_COUNTERSIGNED if countersigned else README
    for envelope in envelopes:
        yield SEALS_FILE, envelope + b"\n"
    for digest in countersigned:
        yield SIGSTORE_FILE, await store.get(digest) + b"\n"
    async for name, data in rows:
        yield name, data
    yield SBOM_FILE, await store.get(_sbom(envelopes[-1], signed.keys))
    for keyid, pem in signed.used():
        yield key_file(keyid), pem
    if signed.left:
        yield LEFT_README_FILE, LEFT_README
    for digest in sorted(signed.left):
        yield left_file(digest), await store.get(digest)


async def _whole(seal: RunSeal, store: ArtifactStore, signed: "_Keyring") -> Pieces:
    async for page in sealed_leaves(store, seal.leaves):
        yield ROWS_FILE, page
    # Without an envelope the file is there all the same.
    yield ENVELOPES_FILE, b""
    async for page in sealed_leaves(store, seal.leaves):
        for leaf in map(Leaf.parse, page.splitlines()):
            if leaf.envelope is not None:
                yield ENVELOPES_FILE, await signed.envelope(store, leaf.envelope) + b"\n"


async def _single(seal: RunSeal, store: ArtifactStore, signed: "_Keyring", row: str) -> Pieces:
    hashes: list[bytes] = []
    found: Leaf | None = None
    async for page in sealed_leaves(store, seal.leaves):
        lines = page.splitlines()
        hashes += map(leaf_hash, lines)
        named = (leaf for leaf in map(Leaf.parse, lines) if leaf.row == row)
        found = found or next(named, None)
    if found is None:
        raise ProvenanceInvalid(f"the seal of run {seal.run} has no row {row}", run=seal.run, row=row)
    yield ROWS_FILE, found.data + b"\n"
    path = await asyncio.to_thread(inclusion_proof, hashes, found.index)
    yield INCLUSION_FILE, canonical({"index": found.index, "path": path, "size": len(hashes)})
    yield ENVELOPES_FILE, b""
    if found.envelope is not None:
        yield ENVELOPES_FILE, await signed.envelope(store, found.envelope) + b"\n"


def key_file(keyid: str) -> str:
    """Return the name of a key's file in a bundle."""
    return f"{KEY_FOLDER}{keyid}.pem"


def left_file(digest: Digest) -> str:
    """Return the name that a file which a program left has in a bundle."""
    return f"{LEFT_FOLDER}{digest.partition(':')[2]}"


def _countersigned(envelope: bytes, keys: KeySet) -> Digest | None:
    named = run_predicate(verify_envelope(envelope, keys, predicate=RUN_SEAL).statement).countersigned
    return f"sha256:{named.digest['sha256']}" if named else None


def _sbom(envelope: bytes, keys: KeySet) -> Digest:
    told = run_predicate(verify_envelope(envelope, keys, predicate=RUN_SEAL).statement)
    return f"sha256:{told.builder.sbom.digest['sha256']}"


class _Keyring:
    """Notes by which keys envelopes are signed, and which files they are about."""

    def __init__(self, keys: KeySet) -> None:
        self.keys = keys
        self.left: set[Digest] = set()
        self._used: set[str] = set()

    async def envelope(self, store: ArtifactStore, digest: Digest) -> bytes:
        """Return an envelope, its key noted."""
        envelope = await store.get(digest)
        found = parse_envelope(envelope)
        self._used.add(found.keyid)
        self.left.update(left_of(found.payload))
        return envelope

    def used(self) -> list[tuple[str, bytes]]:
        """Return the keys that were noted."""
        pems = self.keys.pems
        if missing := self._used - pems.keys():
            raise ProvenanceInvalid(f"the public key {min(missing)} is not kept here any more", keyid=min(missing))
        return [(keyid, pems[keyid]) for keyid in sorted(self._used)]


class _Zip:
    """Writes a zip file into memory, from where it is taken piece by piece."""

    def __init__(self) -> None:
        self._written = _Pieces()
        self._zip = zipfile.ZipFile(self._written, "w", zipfile.ZIP_DEFLATED)
        self._name = ""
        self._file: IO[bytes] | None = None

    def add(self, name: str, data: bytes) -> None:
        """Write more of a file; its first piece begins it and ends the one before."""
        if name != self._name or self._file is None:
            self._end_file()
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            self._name, self._file = name, self._zip.open(entry, "w", force_zip64=True)
        self._file.write(data)

    def taken(self, least: int) -> bytes:
        """Return what was written since, once there is enough of it."""
        return self._written.take() if self._written.size >= least else b""

    def closed(self) -> bytes:
        """Write the table of contents and return the rest."""
        self._end_file()
        self._zip.close()
        return self._written.take()

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()


class _Pieces(io.RawIOBase):
    """A file that cannot be sought: what is written waits until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # buffers zipfile uses
        part = bytes(data)
        self._parts.append(part)
        self.size += len(part)
        return len(part)

    def take(self) -> bytes:
        taken, self._parts, self.size = b"".join(self._parts), [], 0
        return taken
