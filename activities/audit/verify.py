"""Verifying the log in the database: every entry, every link, every signature, and that the end is there."""

import heapq
from collections.abc import Iterable, Iterator

from sqlalchemy import Engine

from activities.audit import reading
from activities.audit.chain import Chain, Faults
from activities.audit.contracts import AuditReport, Checkpoint
from activities.audit.signing import PublicKeys


def verify_database(engine: Engine, keys: PublicKeys, kept: Iterable[Checkpoint] = ()) -> AuditReport:
    """Return all that is wrong with a log; entries that are written meanwhile do not disturb.

    Args:
        engine: The records database.
        keys: The keys whose signatures count.
        kept: Checkpoints that were kept outside of the database.

    Raises:
        AuditMissing: The database has no log.
    """
    reading.require(engine)
    faults = Faults()
    counted = [0]
    signed = heapq.merge(reading.checkpoints(engine), sorted(kept, key=_sequence), key=_sequence)
    # Read before the entries: what is written from now on can only add to it.
    before = reading.head(engine)
    chain = Chain(faults, valid(signed, keys, faults, counted))
    for entry in reading.entries(engine):
        chain.take(entry)
    chain.finish()
    _compare_head(engine, chain, before, faults)
    return report(chain, faults, keys, counted[0])


def valid(signed: Iterable[Checkpoint], keys: PublicKeys, faults: Faults, counted: list[int]) -> Iterator[Checkpoint]:
    """Yield the checkpoints whose signatures count, each once; each of the others is a fault."""
    before = None
    for checkpoint in signed:
        if checkpoint == before:
            continue
        before = checkpoint
        counted[0] += 1
        if why := keys.checkpoint_fault(checkpoint):
            what = f"the checkpoint of {checkpoint.at} does not count: {why}"
            faults.add(checkpoint.sequence, what, checkpoint.keyid, keys.ids)
        else:
            yield checkpoint


def report(chain: Chain, faults: Faults, keys: PublicKeys, checkpoints: int, *, complete: bool = True) -> AuditReport:
    """Return what was found."""
    anchored = chain.anchored
    return AuditReport(
        valid=not faults.found,
        entries=chain.entries,
        first=chain.first,
        last=chain.last[0],
        head=chain.last[1],
        anchored=anchored.sequence if anchored else 0,
        anchored_at=anchored.at if anchored else "",
        checkpoints=checkpoints,
        keyid=keys.ids,
        complete=complete,
        faults=tuple(faults.told),
        faults_found=faults.found,
    )


def _compare_head(engine: Engine, chain: Chain, before: tuple[int, str] | None, faults: Faults) -> None:
    """Compare the last entry with what the writers take for the last one, before and after the entries were read."""
    sequence, found = chain.last
    after = reading.head(engine)
    if before is None or after is None:
        faults.add(sequence, "the row that names the last entry is gone", "no row", f"entry {sequence}, {found}")
    elif sequence < before[0]:
        what = f"the log was cut off: entry {before[0]} was the last one"
        faults.add(sequence + 1, what, f"the log ends with entry {sequence}", before[1])
    elif sequence > after[0]:
        faults.add(after[0] + 1, "an entry was added by somebody else than Prism", f"entry {sequence}", "no entry")
    elif sequence == after[0] and found != after[1]:
        faults.add(sequence, "it is not the entry that Prism wrote last", found, after[1])


def _sequence(checkpoint: Checkpoint) -> int:
    return checkpoint.sequence
