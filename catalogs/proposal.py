"""Rows that a row proposes: read as a catalog is, and checked against the run that they are to join."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from catalogs.dependencies import Dependencies
from catalogs.faults import Fault, Findings, InvalidCatalog, Severity, shown
from catalogs.graph import behind, execution_order
from catalogs.growth import RunRows
from catalogs.options import ReadOptions
from catalogs.plan import MAX_ADDED, MAX_DEPTH, Proposal
from catalogs.privileges import inherited, raised
from catalogs.reader import CatalogReader
from catalogs.row import CatalogRow
from catalogs.team import Pattern
from temporal.names import ErrorCode

_KEPT: Final = 20


def read_proposal(document: str, planner: CatalogRow, run: RunRows, options: ReadOptions) -> Proposal:
    """Return the rows that a text proposes, in an order in which they can run.

    Args:
        document: JSON that fits ``PROPOSAL_SCHEMA``.
        planner: The row that proposes them.
        run: What they are to join.
        options: Agents, tools and collections that there are.

    Raises:
        InvalidCatalog: They cannot be added; all faults are told.
    """
    cells: list[dict[str, str]] = json.loads(document)["rows"]
    findings = Findings(_KEPT)
    cells = _with_ids_of_their_own(cells, run, findings)
    _check_count(len(cells), planner, run, findings)
    reader = CatalogReader(io.BytesIO(_table(cells)), options, findings)
    given = {one["id"].strip(): {name for name, text in one.items() if text.strip()} for one in cells}
    rows = [inherited(row, planner, given.get(row.id, ())) for row in reader]
    for row in rows:
        for fault in [*raised(row, planner), *_too_deep(row, run)]:
            findings.add(fault)
    dependencies = Dependencies(findings, outside=run.ids)
    for row in rows:
        dependencies.add(row)
    dependencies.resolve(reader.rejected, reader.waiting, skip=False)
    _check_circles(rows, run, findings)
    if findings.errors_found:
        faults = [_without_line(fault) for fault in findings.errors]
        raise InvalidCatalog(faults, findings.errors_found)
    order = execution_order(len(rows), dependencies.upstream, [row.priority for row in rows])
    return Proposal(by=planner.id, rows=tuple(rows[number] for number in order))


def _with_ids_of_their_own(cells: Iterable[dict[str, str]], run: RunRows, findings: Findings) -> list[dict[str, str]]:
    """Return the rows without those that have no id, or one that is taken by another of them; all are noted."""
    seen: dict[str, dict[str, str]] = {}
    for one in cells:
        name = one["id"].strip()
        if not name:
            findings.add(Fault(code=ErrorCode.INVALID_ID, message="a proposed row has no id", column="id"))
            continue
        if name in seen or name in run.ids:
            whose = "another proposed row" if name in seen else "a row of the run"
            findings.add(
                Fault(
                    code=ErrorCode.DUPLICATE_ID,
                    message=f"id {shown(name)!r} is taken by {whose}; give it another id",
                    row=name,
                    column="id",
                    found=shown(name),
                    expected="an id of its own",
                )
            )
        seen.setdefault(name, one)
    return list(seen.values())


def _check_count(count: int, planner: CatalogRow, run: RunRows, findings: Findings) -> None:
    bounds = (
        (planner.plan_rows, f"column 'plan_rows' of row {planner.id!r} allows"),
        (MAX_ADDED - run.added, f"{run.added} rows of the run were planned before, so there is room for"),
    )
    for most, why in bounds:
        if count > most:
            findings.add(
                Fault(
                    code=ErrorCode.INVALID_VALUE,
                    message=f"{count} rows are proposed; {why} {most}",
                    found=str(count),
                    expected=f"at most {most} rows",
                )
            )


def _too_deep(row: CatalogRow, run: RunRows) -> list[Fault]:
    if row.pattern is not Pattern.PLAN or run.depth < MAX_DEPTH:
        return []
    message = "pattern: rows that a planned row has planned plan no further ones"
    fault = Fault(code=ErrorCode.PRIVILEGE_RAISED, message=message, row=row.id, column="pattern", found="plan")
    return [fault]


def _check_circles(rows: Sequence[CatalogRow], run: RunRows, findings: Findings) -> None:
    """Note rows that wait for those that wait for them: who depends on the row that plans waits for what it planned."""
    waiting = behind(frozenset({run.planner}), run.upstream)
    for row in rows:
        for name in row.depends_on:
            if run.ids.get(name) in waiting:
                findings.add(
                    Fault(
                        code=ErrorCode.DEPENDENCY_CYCLE,
                        message=f"row {row.id!r} depends on {name!r}, which waits for the rows that are proposed here",
                        row=row.id,
                        column="depends_on",
                        found=name,
                        expected="rows that do not wait for this plan",
                    )
                )


def _table(cells: Sequence[dict[str, str]]) -> bytes:
    columns = list(dict.fromkeys(name for one in cells for name in one))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([one.get(name, "") for name in columns] for one in cells)
    return text.getvalue().encode()


def _without_line(fault: Fault) -> Fault:
    """Return a fault of a text that has no lines worth naming."""
    where = f"row {fault.row!r}: " if fault.row and repr(fault.row) not in fault.message else ""
    told: dict[str, Any] = {"line": None, "message": where + fault.message, "severity": Severity.ERROR}
    return fault.model_copy(update=told)
