"""Which rows depend on which: resolving ids to rows, and the faults found on the way."""

from array import array
from collections.abc import Container, Mapping, Sequence

from catalogs.columns import near_misses
from catalogs.faults import Fault, Findings, Severity, shown
from catalogs.graph import behind, cycles, entangled
from catalogs.row import CatalogRow
from temporal.names import ErrorCode

_COMPARED = 1_000
_SPELLED = 20


class Dependencies:
    """Collects rows in file order, compactly, and resolves what they depend on.

    Args:
        findings: Where faults are noted.
        outside: Ids of rows that are not of this file, and that its rows may depend on all the same.

    Attributes:
        upstream: After ``resolve``, the rows each row depends on, by number in file order.
    """

    def __init__(self, findings: Findings, outside: Container[str] = ()) -> None:
        self._findings = findings
        self._outside = outside
        self._numbers: dict[str, int] = {}
        self._lines = array("L")
        self._written: dict[int, tuple[str, ...]] = {}
        self.upstream: dict[int, array[int]] = {}

    def add(self, row: CatalogRow) -> None:
        """Add the next row of the file."""
        number = len(self._lines)
        self._numbers[row.id] = number
        self._lines.append(row.line)
        if row.depends_on:
            self._written[number] = row.depends_on

    def resolve(
        self, rejected: Mapping[str, int], waiting: Sequence[tuple[str, int, tuple[str, ...]]] = (), *, skip: bool
    ) -> frozenset[int]:
        """Resolve ids to rows, and return the rows that cannot run.

        Args:
            rejected: Ids of rows already found invalid, with their lines: depending on one is no further
                fault.
            waiting: What rows found invalid depend on: id, line and ids; that these are there is checked too.
            skip: Whether to say which rows are left out because of others.
        """
        blocked: dict[int, str] = {}
        ids = list(self._numbers)
        for number, wanted in self._written.items():
            known = array("L")
            for name in wanted:
                if name in self._numbers:
                    known.append(self._numbers[name])
                elif name in rejected:
                    blocked.setdefault(number, name)
                elif name not in self._outside:
                    blocked.setdefault(number, "")
                    self._findings.add(self._unknown(ids[number], self._lines[number], name, ids))
            if known:
                self.upstream[number] = known
        self._written.clear()
        self._note_unknown_of(waiting, rejected, ids)
        for cycle in cycles(self.upstream):
            self._findings.add(self._cycle(cycle, ids))
        faulty = frozenset(blocked) | entangled(self.upstream)
        after = behind(faulty, self.upstream)
        if skip:
            reasons = {number: name for number, name in blocked.items() if name}
            reasons |= {number: ids[before] for number, before in after.items()}
            for number, name in sorted(reasons.items()):
                self._findings.add(self._left_out(ids[number], number, name))
        return faulty | frozenset(after)

    def _note_unknown_of(
        self, waiting: Sequence[tuple[str, int, tuple[str, ...]]], rejected: Mapping[str, int], ids: list[str]
    ) -> None:
        for row, line, wanted in waiting:
            for name in wanted:
                if name not in self._numbers and name not in rejected and name not in self._outside:
                    self._findings.add(self._unknown(row, line, name, ids))

    def _unknown(self, row: str, line: int, name: str, ids: list[str]) -> Fault:
        near: tuple[str, ...] = ()
        if not self._findings.full():
            alike = [known for known in ids if abs(len(known) - len(name)) <= 3]  # noqa: PLR2004 -- near misses only
            near = near_misses(name, alike[:_COMPARED])
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        return Fault(
            code=ErrorCode.UNKNOWN_DEPENDENCY,
            message=f"row {row!r} depends on {shown(name)!r}, which is not in the catalog{hint}",
            line=line,
            row=row,
            column="depends_on",
            found=shown(name),
            expected=", ".join(near) or "the id of a row",
        )

    def _cycle(self, cycle: list[int], ids: list[str]) -> Fault:
        around = [*cycle, cycle[0]]
        spelled = [ids[number] for number in around]
        lines = [str(self._lines[number]) for number in around]
        if len(around) > _SPELLED:
            omitted = f"… {len(around) - _SPELLED} more …"
            spelled = [*spelled[: _SPELLED // 2], omitted, *spelled[-_SPELLED // 2 :]]
            lines = [*lines[: _SPELLED // 2], "…", *lines[-_SPELLED // 2 :]]
        return Fault(
            code=ErrorCode.DEPENDENCY_CYCLE,
            message=f"rows wait for each other: {' -> '.join(spelled)} (lines {' -> '.join(lines)})",
            line=self._lines[cycle[0]],
            row=ids[cycle[0]],
            column="depends_on",
            found=" -> ".join(spelled),
            expected="dependencies without a cycle",
        )

    def _left_out(self, row: str, number: int, name: str) -> Fault:
        return Fault(
            code=ErrorCode.UPSTREAM_FAILED,
            message=f"row {row!r} is left out because it depends on {shown(name)!r}, which is left out",
            line=self._lines[number],
            row=row,
            column="depends_on",
            found=shown(name),
            severity=Severity.WARNING,
        )
