"""Walking the chain: entry by entry, every fault with its place. Pure, and as small as one entry."""

import json
from collections.abc import Iterable
from typing import Any, Final

from activities.audit.canonical import canonical, entry_hash
from activities.audit.contracts import GENESIS, AuditFault, Checkpoint

FAULTS_TOLD: Final = 1000


class Faults:
    """Collects what is wrong; of very much only the first thousand is told."""

    def __init__(self) -> None:
        self.told: list[AuditFault] = []
        self.found = 0

    def add(self, sequence: int, what: str, found: object = "", expected: object = "") -> None:
        """Note a fault."""
        self.found += 1
        if len(self.told) < FAULTS_TOLD:
            self.told.append(AuditFault(sequence=sequence, what=what, found=str(found), expected=str(expected)))


class Chain:
    """Takes entries in order and finds what does not fit.

    Args:
        faults: Where faults go.
        checkpoints: What was signed, in the order of the entries; each is compared with the one it names.
        linked: Whether the entries follow each other; those of a filtered export do not.
        before: Sequence and hash of the entry before the first one; ``None`` takes the first one's word for it.
    """

    def __init__(
        self,
        faults: Faults,
        checkpoints: Iterable[Checkpoint] = (),
        *,
        linked: bool = True,
        before: tuple[int, str] | None = (0, GENESIS),
    ) -> None:
        self._faults = faults
        self._linked = linked
        self._before = before
        self._signed = iter(checkpoints)
        self._due = next(self._signed, None)
        self.entries = 0
        self.first = 0
        self.anchored: Checkpoint | None = None

    @property
    def last(self) -> tuple[int, str]:
        """Sequence and hash of the entry that was taken last."""
        return self._before or (0, GENESIS)

    def take(self, entry: dict[str, Any]) -> None:
        """Take the next entry."""
        sequence, stated = entry["sequence"], entry["hash"]
        self._place(sequence)
        if self._linked and self._before is not None and entry["previous"] != self._before[1]:
            what = f"it does not continue entry {self._before[0]}: one of the two was altered, or what was between them"
            self._faults.add(sequence, what, f"previous {entry['previous']}", self._before[1])
        computed = _computed(entry)
        if computed != stated:
            self._faults.add(sequence, "it was altered: its content does not have its hash", computed, stated)
        self._compare(sequence, stated)
        self.entries += 1
        self.first = self.first or sequence
        self._before = (sequence, stated)

    def finish(self) -> None:
        """Say which signed entries never came."""
        while self._due is not None:
            what = f"the log was cut off: entry {self._due.sequence} was signed at {self._due.at}"
            self._faults.add(self._due.sequence, what, f"the log ends with entry {self.last[0]}", self._due.hash)
            self._due = next(self._signed, None)

    def vouched(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint that is known only at the end; it must not name an entry after the last one."""
        sequence, found = self.last
        if checkpoint.sequence > sequence:
            what = f"the log was cut off: entry {checkpoint.sequence} was signed at {checkpoint.at}"
            self._faults.add(checkpoint.sequence, what, f"the log ends with entry {sequence}", checkpoint.hash)
        elif checkpoint.sequence == sequence and checkpoint.hash != found:
            self._faults.add(sequence, "another entry was signed in this place", found, checkpoint.hash)
        elif self.anchored is None or self.anchored.sequence < checkpoint.sequence:
            self.anchored = checkpoint

    def _compare(self, sequence: int, stated: str) -> None:
        while self._due is not None and self._due.sequence <= sequence:
            due, self._due = self._due, next(self._signed, None)
            if due.sequence < sequence:
                if self._linked and self.first:
                    self._faults.add(due.sequence, f"the entry signed at {due.at} is missing", "no entry", due.hash)
            elif due.hash == stated:
                self.anchored = due
            else:
                what = f"the log was rewritten: at {due.at} another entry was signed in this place"
                self._faults.add(sequence, what, stated, due.hash)

    def _place(self, sequence: int) -> None:
        if self._before is None:
            return
        due = self._before[0] + 1
        if sequence == due or (sequence > due and not self._linked):
            return
        if sequence > due:
            what = "an entry was removed" if sequence == due + 1 else f"{sequence - due} entries were removed"
            self._faults.add(due, what, f"entry {sequence} follows entry {due - 1}", f"entry {due}")
        else:
            what = "it stands in the wrong place: entries were reordered, repeated or inserted"
            self._faults.add(sequence, what, f"entry {sequence} after entry {due - 1}", f"entry {due}")


def read_line(line: str) -> dict[str, Any] | None:
    """Return the object of an exported line; ``None`` unless it is written exactly as Prism writes it."""
    try:
        value = json.loads(line)
        return value if isinstance(value, dict) and canonical(value) == line else None
    except (ValueError, RecursionError):
        return None


def _computed(entry: dict[str, Any]) -> str:
    try:
        return entry_hash(entry)
    except (ValueError, KeyError, TypeError) as error:
        return f"none: {error}"
