"""The log as JSON lines: a header, the entries, and a seal that signs all bytes before it."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Engine

from activities.audit import reading
from activities.audit.canonical import FIELDS, canonical
from activities.audit.chain import Chain, Faults, read_line
from activities.audit.contracts import (
    GENESIS,
    AuditFilter,
    AuditReport,
    AuditUnreadable,
    Checkpoint,
)
from activities.audit.signing import SEAL, AuditSigner, PublicKeys, sign
from activities.audit.verify import report, valid
from activities.records.database import timestamp

HEADER: Final = "prism-audit-export-v1"
_ENTRY: Final = {*FIELDS, "hash"}
_TEXTS: Final = _ENTRY - {"sequence", "detail"}


def export(
    engine: Engine, wanted: AuditFilter, signer: AuditSigner, checkpoint: Checkpoint | None = None
) -> Iterator[str]:
    """Yield the lines of an export.

    Args:
        engine: The records database.
        wanted: Which entries.
        signer: Signs the export.
        checkpoint: How the log stands, signed; the export carries it to wherever it is kept.
    """
    digest = hashlib.sha256()
    header = {"type": HEADER, "at": timestamp(), "filter": wanted.model_dump(mode="json")}
    count = -1
    for count, value in enumerate(_values(engine, wanted, header)):  # noqa: B007 -- counted for the seal
        line = canonical(value) + "\n"
        digest.update(line.encode())
        yield line
    seal = {
        "at": timestamp(),
        "entries": count,
        "digest": digest.hexdigest(),
        "checkpoint": checkpoint.model_dump() if checkpoint else None,
    }
    yield canonical({"seal": seal, "keyid": signer.keyid, "signature": sign(signer, seal, SEAL)}) + "\n"


def verify_export(lines: Iterable[bytes], keys: PublicKeys, kept: Iterable[Checkpoint] = ()) -> AuditReport:
    """Return all that is wrong with an export, from its lines and public keys alone.

    Args:
        lines: Its lines, with their ends.
        keys: The keys whose signatures count.
        kept: Checkpoints that were kept elsewhere; of those within the export's range each must fit.

    Raises:
        AuditUnreadable: It is no export.
    """
    source = iter(lines)
    first = next(source, b"")
    header = _object(first)
    if header is None or header.get("type") != HEADER:
        raise AuditUnreadable("this is no export of an audit log: its first line is not the header")
    try:
        wanted = AuditFilter.model_validate(header.get("filter"))
    except ValidationError as error:
        raise AuditUnreadable("the header of this export has no valid filter") from error
    faults, counted = Faults(), [0]
    chain = _chain(wanted, faults, valid(sorted(kept, key=lambda one: one.sequence), keys, faults, counted))
    digest = hashlib.sha256(first)
    seal = None
    for number, line in enumerate(source, 2):
        if seal is not None:
            faults.add(chain.last[0], f"line {number} follows the seal", _short(line), "the end of the file")
            continue
        value = _object(line)
        if value is not None and "seal" in value:
            seal = value
            continue
        digest.update(line)
        if value is None or not _is_entry(value):
            faults.add(chain.last[0] + 1, f"line {number} is not as Prism writes it", _short(line), "an entry")
        else:
            chain.take(value)
    chain.finish() if wanted.empty else None
    counted[0] += _check_seal(seal, digest.hexdigest(), chain, keys, faults, complete=wanted.empty)
    return report(chain, faults, keys, counted[0], complete=wanted.empty)


def kept_checkpoints(lines: Iterable[bytes]) -> list[Checkpoint]:
    """Return the checkpoints of a file: of an export, or as they stand beside the signing key.

    Raises:
        AuditUnreadable: It holds none.
    """
    found = []
    for line in lines:
        value = _object(line) or {}
        inner = value.get("seal") or {}
        for candidate in (value, inner.get("checkpoint") if isinstance(inner, dict) else None):
            try:
                found.append(Checkpoint.model_validate(candidate))
            except ValidationError:
                continue
    if not found:
        raise AuditUnreadable("this file holds no checkpoint: give an export, or the file audit-checkpoint.json")
    return found


def _values(engine: Engine, wanted: AuditFilter, header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield header
    yield from reading.entries(engine, wanted)


def _chain(wanted: AuditFilter, faults: Faults, signed: Iterable[Checkpoint]) -> Chain:
    """Return what walks an export: one of a time is a piece of the chain, one of kinds or of somebody has gaps."""
    linked = not (wanted.kinds or wanted.actor)
    return Chain(faults, signed, linked=linked, before=None if wanted.since or not linked else (0, GENESIS))


def _check_seal(
    seal: dict[str, Any] | None, digest: str, chain: Chain, keys: PublicKeys, faults: Faults, *, complete: bool
) -> int:
    """Check the seal; return how many checkpoints it held."""
    last = chain.last[0]
    if seal is None:
        faults.add(last + 1, "the export was cut off: it has no seal", f"the end after entry {last}", "a seal")
        return 0
    body = seal.get("seal")
    if not isinstance(body, dict) or not {"entries", "digest", "checkpoint"} <= body.keys():
        faults.add(last, "the seal is not as Prism writes it")
        return 0
    if why := keys.fault(body, SEAL, str(seal.get("keyid")), str(seal.get("signature"))):
        faults.add(last, f"the seal does not count: {why}", str(seal.get("keyid")), keys.ids)
        return 0
    if body["digest"] != digest:
        faults.add(last, "the file is not the one that was sealed", digest, body["digest"])
    if body["entries"] != chain.entries:
        faults.add(last, "entries are missing or too many", chain.entries, body["entries"])
    if body["checkpoint"] is None:
        return 0
    checkpoint = Checkpoint.model_validate(body["checkpoint"])
    if why := keys.checkpoint_fault(checkpoint):
        faults.add(checkpoint.sequence, f"the checkpoint does not count: {why}", checkpoint.keyid, keys.ids)
    elif complete:
        chain.vouched(checkpoint)
    return 1


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    return read_line(text[:-1]) if text.endswith("\n") else None


def _is_entry(value: dict[str, Any]) -> bool:
    return (
        value.keys() == _ENTRY
        and type(value["sequence"]) is int
        and isinstance(value["detail"], dict)
        and all(isinstance(value[name], str) for name in _TEXTS)
    )


def _short(line: bytes) -> str:
    return line[:80].decode(errors="replace").strip()
