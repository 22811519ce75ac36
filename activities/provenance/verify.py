"""Offline verification of what was sealed: from the envelope's bytes and public keys alone."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from activities.artifacts.contracts import Digest, digest_of
from activities.artifacts.files import path_problem
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.custody import check_custody, custody_of
from activities.provenance.envelope import pae, parse_envelope
from activities.provenance.keys import KeySet
from activities.provenance.statement import OF_FILE
from activities.provenance.uris import PAYLOAD_TYPE, RUN_SEAL, SLSA_PROVENANCE, STATEMENT_TYPE
from temporal.contract import Contract

_TITLES = {SLSA_PROVENANCE: "SLSA provenance v1", RUN_SEAL: "the seal of a run"}


class Verified(Contract):
    """What an envelope proves.

    Args:
        keyid: Id the envelope names for the key; the signature itself was checked with the key given.
        output: Digest of the output, the statement's first subject.
        output_checked: Whether the output itself was given and has that digest.
        statement: The in-toto statement.
        files: Digests of the files that the row's program left, by path: the further subjects, unchecked.
    """

    keyid: str
    output: Digest
    output_checked: bool
    statement: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Digest] = Field(default_factory=dict)


def verify_envelope(
    envelope: bytes,
    keys: KeySet | bytes | str,
    *,
    output: bytes | str | None = None,
    predicate: str = SLSA_PROVENANCE,
) -> Verified:
    """Check a DSSE envelope, its statement, and that it is about a given output.

    The envelope must be in the exact form that Prism writes, so that a change of any byte is noticed,
    also of one outside the signed payload.

    Args:
        envelope: The envelope's bytes (JSON).
        keys: The keys that count, or the one Ed25519 public key that must have signed it, in PEM.
        output: The output it should be about; text stands for its UTF-8 bytes.
        predicate: What kind of statement it must be.

    Returns:
        What was proven.

    Raises:
        ProvenanceInvalid: The envelope does not prove it; the message says why.
    """
    trusted = keys if isinstance(keys, KeySet) else KeySet([keys])
    found = parse_envelope(envelope)
    trusted.check(found.keyid, found.signature, pae(PAYLOAD_TYPE, found.payload))
    statement = _statement(found.payload, predicate)
    subject = _subject(statement, with_files=predicate == SLSA_PROVENANCE)
    _check_output(subject, output)
    check_custody(custody_of(statement), subject)
    return Verified(
        keyid=found.keyid,
        output=subject,
        output_checked=output is not None,
        statement=statement,
        files=_files(statement),
    )


def _statement(payload: bytes, predicate: str) -> dict[str, Any]:
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProvenanceInvalid("the signed payload is not JSON") from None
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise ProvenanceInvalid("the signed payload is not an in-toto Statement v1")
    if statement.get("predicateType") != predicate:
        raise ProvenanceInvalid(f"the statement is not {_TITLES.get(predicate, predicate)}")
    return statement


def _subject(statement: dict[str, Any], *, with_files: bool) -> Digest:
    try:
        subject, *others = statement["subject"]
        digest = str(subject["digest"]["sha256"])
    except (KeyError, TypeError, ValueError):
        raise ProvenanceInvalid("the statement has no subject with a SHA-256 digest") from None
    if others and not with_files:
        raise ProvenanceInvalid("the statement has more than one subject")
    return f"sha256:{digest}"


def left_of(payload: bytes) -> Iterable[Digest]:
    """Return the digests of the files that a signed statement of ours is about."""
    statement = json.loads(payload) if OF_FILE.encode() in payload else {}
    return _files(statement).values() if statement.get("predicateType") == SLSA_PROVENANCE else ()


def check_files(files: Mapping[str, Digest], digests: Mapping[str, Digest]) -> None:
    """Check that the files of a row are those that were sealed.

    Args:
        files: Digests that were sealed, by path.
        digests: Digests of the files that are there, by path.

    Raises:
        ProvenanceInvalid: One is missing, was changed, or was added.
    """
    for path, digest in files.items():
        if path not in digests:
            raise ProvenanceInvalid(f"the file {path} is missing", path=path)
        if digests[path] != digest:
            raise ProvenanceInvalid(f"the file {path} is not the one that was sealed: its digest differs", path=path)
    if added := digests.keys() - files.keys():
        raise ProvenanceInvalid(f"the file {min(added)} was added: it was not sealed", path=min(added))


def _files(statement: dict[str, Any]) -> dict[str, Digest]:
    """Return the subjects that are files; each is named by its row and its path.

    Raises:
        ProvenanceInvalid: A subject is something else.
    """
    first, *others = statement["subject"]
    found: dict[str, Digest] = {}
    try:
        for one in others:
            row, mark, path = str(one["name"]).partition(OF_FILE)
            if row != first["name"] or not mark or path_problem(path) or path in found:
                raise ProvenanceInvalid(
                    "a subject of the statement is no file of its row", subject=str(one["name"])[:500]
                )
            found[path] = f"sha256:{one['digest']['sha256']}"
    except (KeyError, TypeError):
        raise ProvenanceInvalid("a subject of the statement has no name or no SHA-256 digest") from None
    return found


def _check_output(subject: Digest, output: bytes | str | None) -> None:
    if output is None:
        return
    found = digest_of(output.encode() if isinstance(output, str) else output)
    if found != subject:
        raise ProvenanceInvalid(
            "the output is not the one that was sealed: its digest differs", expected=subject, found=found
        )
