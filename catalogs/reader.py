"""Reading a catalog: from a stream of bytes to rows, with every fault noted at its line."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from catalogs.cells import BadCell, default_id, identifier
from catalogs.columns import NAMES, normalised
from catalogs.encoding import BadBytes, Decoder, physical_lines
from catalogs.experiment_rows import check_experiment
from catalogs.faults import Fault, Findings
from catalogs.header import Layout, read_header
from catalogs.notes import RowNotes, note_damage, note_field_count, note_nul
from catalogs.options import ReadOptions
from catalogs.records import Record, Records
from catalogs.row import CatalogRow
from catalogs.row_checks import check_criteria, check_objective, check_template, check_together, known_tools, read_cells
from catalogs.team_checks import check_team
from catalogs.team_tools import tools_of_team
from temporal.names import ErrorCode

_CELLS_A_LINE: Final = 8


class CatalogReader:
    """Reads one catalog, once.

    Iterating yields the valid rows in file order. After that ``findings`` holds what was wrong.

    Args:
        stream: Read forward only, in bounded pieces.
        options: How to read it.
        findings: Where faults are noted.

    Attributes:
        rejected: Ids of invalid rows, as far as they could be told, and the line of each.
        waiting: What invalid rows whose cells could be read depend on: id, line and ids.
    """

    def __init__(self, stream: BinaryIO, options: ReadOptions, findings: Findings) -> None:
        self._options = options
        self._findings = findings
        self._seen: dict[str, int] = {}
        self.rejected: dict[str, int] = {}
        self.waiting: list[tuple[str, int, tuple[str, ...]]] = []
        self._decoder = Decoder(stream)
        known = NAMES | {normalised(name) for name in options.columns}
        lines = physical_lines(self._decoder, options.max_cell_chars * _CELLS_A_LINE)
        self._records = Records(lines, known, options.max_cell_chars)
        self._layout = Layout((), (), frozenset())
        self._ordinal = 0
        self._tools = None if options.tools is None else {tool.name: tool.digest for tool in options.tools}

    def __iter__(self) -> Iterator[CatalogRow]:
        """Yield the valid rows."""
        records = iter(self._records)
        header = next(records, None)
        if header is not None:
            self._read_header(header)
            for record in records:
                if row := self._row(record):
                    yield row
        self._note_stray_bytes()
        if not self._ordinal:
            what = "is empty" if header is None else "has a header and no rows"
            message = f"the catalog holds no task: the file {what}"
            self._findings.add(Fault(code=ErrorCode.EMPTY_CATALOG, message=message, expected="a header and rows"))

    def _read_header(self, header: Record) -> None:
        self._note_damage(RowNotes(header, "", self._layout, self._findings))
        names = [name.replace("\0", "") for name in header.cells]
        self._layout = read_header(names, header.line, self._options.columns, self._findings)

    @property
    def rows(self) -> int:
        """How many rows were met, valid or not."""
        return self._ordinal

    def _row(self, record: Record) -> CatalogRow | None:
        if not record.damage and not any(map(str.strip, record.cells)):
            return None
        self._ordinal += 1
        row_id = self._identify(record.cells)
        notes = RowNotes(record, row_id, self._layout, self._findings)
        self._note_damage(notes)
        if not record.damage and len(record.cells) != len(self._layout.names):
            note_field_count(notes, self._records.delimiter)
        row = self._build(notes) if notes.sound else None
        if row is None and row_id not in self._seen:
            self.rejected.setdefault(row_id, record.line)
        self._seen.setdefault(row_id, record.line)
        return row

    def _build(self, notes: RowNotes) -> CatalogRow | None:
        values, variables = read_cells(notes)
        literal = self._options.literal
        if (first := self._seen.get(notes.row)) is not None:
            message = f"id {notes.row!r} is taken by the row on line {first}; give one of them another id"
            notes.note(ErrorCode.DUPLICATE_ID, message, "id", found=notes.row, expected="an id of its own")
        check_objective(values, notes)
        check_criteria(values, notes)
        implied = check_template(values, variables, notes, literal=literal)
        check_together(values, notes)
        check_team(values, notes, self._options, implied)
        check_experiment(values, variables, notes, self._options, implied)
        if "tools" in values:
            values["tools"] = known_tools(values["tools"], self._tools, notes)
        if team := values.get("team"):
            named = values.get("tools")
            values["team_tools"] = tools_of_team(team, values.get("pattern"), named, self._tools, notes)
        depends_on = tuple(dict.fromkeys((*values.get("depends_on", ()), *implied, *_workspace(values))))
        if not notes.sound:
            if depends_on:
                self.waiting.append((notes.row, notes.record.line, depends_on))
            return None
        values["id"] = notes.row
        values["depends_on"] = depends_on
        return CatalogRow(line=notes.record.line, literal=literal, variables=variables, **values)

    def _identify(self, cells: list[str]) -> str:
        """Return the row's id as written or as derived, also where the row is otherwise unsound."""
        texts = dict(zip(self._layout.names, cells, strict=False))
        if written := texts.get("id", "").strip():
            try:
                return identifier(written)
            except BadCell:
                return written[:200]
        return default_id(texts.get("board", ""), texts.get("task", ""), self._ordinal)

    def _note_damage(self, notes: RowNotes) -> None:
        note_damage(notes, self._options.max_cell_chars)
        if self._decoder.saw_nul:
            note_nul(notes)
        bad = self._decoder.bad
        while bad and bad[0].line <= notes.record.last:
            self._note_bytes(bad.popleft(), notes)
        if self._decoder.uncounted and any("\ufffd" in cell for cell in notes.record.cells):
            notes.spoil()

    def _note_bytes(self, bad: BadBytes, notes: RowNotes) -> None:
        within = bad.line >= notes.record.line
        column = ""
        if within:
            cells = zip(notes.layout.names, notes.record.cells, strict=False)
            column = next((name for name, cell in cells if "\ufffd" in cell), "")
        elif notes.sound:
            notes = RowNotes(notes.record, "", self._layout, self._findings)
        notes.note(
            ErrorCode.UNDECODABLE_BYTES,
            self._bytes_message(bad),
            column,
            found=bad.hexadecimal,
            expected=f"{self._decoder.encoding} text",
            line=bad.line,
        )

    def _note_stray_bytes(self) -> None:
        for bad in self._decoder.bad:
            self._findings.add(
                Fault(
                    code=ErrorCode.UNDECODABLE_BYTES,
                    message=self._bytes_message(bad),
                    line=bad.line,
                    found=bad.hexadecimal,
                    expected=f"{self._decoder.encoding} text",
                )
            )
        self._findings.count(self._decoder.uncounted)

    def _bytes_message(self, bad: BadBytes) -> str:
        return (
            f"byte {bad.offset} of the file: {bad.hexadecimal} is not {self._decoder.encoding}; save the file as UTF-8"
        )


def _workspace(values: dict[str, Any]) -> tuple[str, ...]:
    """Return the row that a row goes on with."""
    return (values["workspace"],) if "workspace" in values else ()
