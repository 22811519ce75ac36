"""Which cell of a record is which column."""

from collections.abc import Mapping
from typing import NamedTuple

from catalogs.columns import BY_NAME, NAMES, Column, near_misses, normalised
from catalogs.faults import MISSING_OBJECTIVE, Fault, Findings, Severity, shown
from temporal.names import ErrorCode


class Layout(NamedTuple):
    """The columns of a file.

    Args:
        names: Name of each cell of a record; empty where the cell is not read.
        columns: The known column of each cell, or ``None`` for a variable.
        variables: Names of the columns that Prism does not know.
    """

    names: tuple[str, ...]
    columns: tuple[Column | None, ...]
    variables: frozenset[str]


def read_header(cells: list[str], line: int, mapping: Mapping[str, str], findings: Findings) -> Layout:
    """Return the layout that a header describes, noting its faults.

    Args:
        cells: The header's cells.
        line: Physical line of the header.
        findings: Where faults are noted.
        mapping: Column of the file to column of Prism, such as ``{"prompt": "objective"}``.
    """
    renamed = {normalised(theirs): normalised(ours) for theirs, ours in mapping.items()}
    written = [normalised(cell) for cell in cells]
    _check_mapping(renamed, written, line, findings)
    names: list[str] = []
    taken: dict[str, int] = {}
    for position, original in enumerate(written, start=1):
        name = renamed.get(original, original)
        if not name:
            message = f"column {position} of {len(written)} has no name: name it or remove it"
            findings.add(Fault(code=ErrorCode.EMPTY_COLUMN_NAME, message=message, line=line, expected="a name"))
        elif name in taken:
            message = f"column {position} is a second {name!r}"
            if name != original:
                message += f" ({original!r} is mapped to it)"
            findings.add(
                Fault(
                    code=ErrorCode.DUPLICATE_COLUMN,
                    message=f"{message}; column {taken[name]} is the first",
                    line=line,
                    column=name,
                    found=shown(cells[position - 1]),
                    expected="each column once",
                )
            )
            name = ""
        taken.setdefault(name, position)
        names.append(name)
    _check_required(names, line, findings)
    variables = frozenset(names) - NAMES - {""}
    known_here = frozenset(names)
    for name in names:
        if name in variables:
            findings.add(_unknown(name, line, known_here, describe=not findings.full(Severity.WARNING)))
    return Layout(tuple(names), tuple(BY_NAME.get(name) for name in names), variables)


def _check_required(names: list[str], line: int, findings: Findings) -> None:
    if "objective" in names:
        return
    near = [name for name in names if "objective" in near_misses(name)]
    known = next((name for name in names if name in {"prompt", "description", "goal", "text"}), "")
    hint = ""
    if candidate := (near[0] if near else known):
        hint = f"; to read column {candidate!r} as it: --map {candidate}=objective"
    findings.add(
        Fault(
            code=ErrorCode.MISSING_COLUMN,
            message=MISSING_OBJECTIVE + " (the file has no such column" + hint + ")",
            line=line,
            column="objective",
            found=shown(", ".join(name for name in names if name)),
            expected="a column named 'objective'",
        )
    )


def _check_mapping(renamed: Mapping[str, str], written: list[str], line: int, findings: Findings) -> None:
    for theirs, ours in renamed.items():
        if theirs in written:
            continue
        near = near_misses(theirs, written)
        findings.add(
            Fault(
                code=ErrorCode.MISSING_COLUMN,
                message=f"--map {theirs}={ours}: the file has no column {theirs!r}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                line=line,
                column=theirs,
                found=shown(", ".join(written)),
                expected=f"a column named {theirs!r}",
            )
        )


def _unknown(name: str, line: int, present: frozenset[str], *, describe: bool) -> Fault:
    near = [known for known in near_misses(name) if known not in present] if describe else []
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return Fault(
        code=ErrorCode.UNKNOWN_COLUMN,
        message=f"column {shown(name)!r} is not one of Prism's; templates can use it as a variable{hint}",
        line=line,
        column=name,
        found=shown(name),
        expected=", ".join(near),
        severity=Severity.WARNING,
    )
