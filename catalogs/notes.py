"""Noting the faults of one record."""

from catalogs.faults import Fault, Findings, Severity, shown
from catalogs.header import Layout
from catalogs.records import Damage, Record
from temporal.names import ErrorCode

_REPEATED = 5


class RowNotes:
    """Notes faults of one row with its id and the physical line of the cell.

    Args:
        record: The record the row is read from.
        row: Id of the row, as far as it is known.
        layout: The file's columns.
        findings: Where faults go.
    """

    def __init__(self, record: Record, row: str, layout: Layout, findings: Findings) -> None:
        self.record = record
        self.row = row
        self.layout = layout
        self._findings = findings
        self.sound = True

    def note(
        self,
        code: ErrorCode,
        message: str,
        column: str = "",
        *,
        found: str = "",
        expected: str = "",
        line: int | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note a fault; its line is that of the column's cell unless told."""
        if severity is Severity.ERROR:
            self.sound = False
        self._findings.add(
            Fault(
                code=code,
                message=message,
                line=line or self.line_of(column),
                row=self.row,
                column=column,
                found=shown(found),
                expected=expected,
                severity=severity,
            )
        )

    def line_of(self, column: str) -> int:
        """Return the physical line on which a column's cell begins."""
        if column in self.layout.names:
            return self.record.cell_line(self.layout.names.index(column))
        return self.record.line

    def spoil(self) -> None:
        """Take the row as faulty without a fault of its own: the fault is only counted."""
        self.sound = False


def note_damage(notes: RowNotes, max_cell: int) -> None:
    """Note what kept the record from being split into cells."""
    for damage, line, index, excerpt in notes.record.damage:
        column = notes.layout.names[index] if index < len(notes.layout.names) else ""
        where = f"column {column!r}" if column else f"cell {index + 1}"
        if damage is Damage.CELL_TOO_LARGE:
            notes.note(
                ErrorCode.CELL_TOO_LARGE,
                f"{where} holds more than {max_cell} characters",
                column,
                expected=f"at most {max_cell} characters",
                line=line,
            )
        elif damage is Damage.UNTERMINATED_QUOTE:
            notes.note(
                ErrorCode.MALFORMED_CSV,
                f"a double quote opens {where} here and is never closed: the rest of the file is one cell; "
                f'close it, or double it (write "") where it is part of the text',
                column,
                found=f'"{excerpt}',
                expected="a closing double quote",
                line=line,
            )
        else:
            notes.note(
                ErrorCode.MALFORMED_CSV,
                f"{where}: text follows the closing double quote: {shown(excerpt)!r}; "
                'double the quotes (write "") that are part of the text',
                column,
                found=excerpt,
                expected="a delimiter after the closing double quote",
                line=line,
            )


def note_field_count(notes: RowNotes, delimiter: str) -> None:
    """Note fields too many or too few; empty fields too many at the end are let pass."""
    cells, names = notes.record.cells, notes.layout.names
    extra = cells[len(names) :]
    named = {",": "comma", ";": "semicolon", "\t": "tab"}.get(delimiter, repr(delimiter))
    if any(map(str.strip, extra)):
        listed = ", ".join(repr(shown(cell.strip())) for cell in extra[:_REPEATED])
        more = f" and {len(extra) - _REPEATED} more" if len(extra) > _REPEATED else ""
        notes.note(
            ErrorCode.WRONG_FIELD_COUNT,
            f"the row has {len(cells)} fields, the header {len(names)}; extra: {listed}{more}. "
            f'Put a cell that holds a {named} in double quotes: "…{delimiter}…"',
            found=f"{len(cells)} fields; extra: {listed}{more}",
            expected=f"{len(names)} fields",
        )
    elif len(cells) < len(names):
        absent = ", ".join(names[len(cells) :])
        notes.note(
            ErrorCode.WRONG_FIELD_COUNT,
            f"the row has {len(cells)} fields, the header {len(names)}; missing: {shown(absent)}",
            found=f"{len(cells)} fields",
            expected=f"{len(names)} fields",
        )


def note_nul(notes: RowNotes) -> None:
    """Note NUL characters, cell by cell."""
    for index, cell in enumerate(notes.record.cells):
        position = cell.find("\0")
        if position < 0:
            continue
        column = notes.layout.names[index] if index < len(notes.layout.names) else ""
        notes.note(
            ErrorCode.NUL_BYTE,
            f"a NUL byte stands in {f'column {column!r}' if column else f'cell {index + 1}'}; remove it "
            "(a file full of them is UTF-16 without a byte order mark: save it as UTF-8)",
            column,
            found=shown(cell.replace("\0", "\\0")),
            expected="text",
            line=notes.record.cell_line(index) + cell.count("\n", 0, position),
        )
