"""From physical lines to records: quoting, comments, blank lines, and where each record began.

The standard ``csv`` module does not say on which line a record began, and stops at the first fault.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from catalogs.encoding import Line

COMMENT: Final = "#"
DELIMITERS: Final = (",", ";", "\t")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([^\w"\s]|\t)"?[,;\t ]*', re.IGNORECASE)
_QUOTED_PART: Final = re.compile(r'"[^"]*"?')
_INDENTED_QUOTE: Final = re.compile(r'[ \t]*"')


class Damage(StrEnum):
    """Why a record cannot be read."""

    UNTERMINATED_QUOTE = "unterminated_quote"
    TEXT_AFTER_QUOTE = "text_after_quote"
    CELL_TOO_LARGE = "cell_too_large"


class Record(NamedTuple):
    """The cells of one record.

    Args:
        line: Physical line on which it began, from 1.
        last: Physical line on which it ended.
        damage: What is wrong, if anything, with position: the line and the index of the cell.
    """

    line: int
    last: int
    cells: list[str]
    damage: tuple[tuple[Damage, int, int, str], ...] = ()

    def cell_line(self, index: int) -> int:
        """Return the physical line on which a cell began."""
        if self.line == self.last:
            return self.line
        return self.line + sum(cell.count("\n") for cell in self.cells[:index])


class Records:
    """Splits lines into records.

    Args:
        lines: Physical lines.
        known: Normalised names of known columns, to tell the delimiter by.
        max_cell: Largest cell, in characters.
    """

    def __init__(self, lines: Iterator[Line], known: frozenset[str], max_cell: int) -> None:
        self._lines = lines
        self._known = known
        self._max_cell = max_cell
        self.delimiter = ""

    def __iter__(self) -> Iterator[Record]:
        """Yield records, the header first; comments and blank lines are left out."""
        for line in self._lines:
            text = line.text
            if text.startswith(COMMENT) or not text.strip():
                continue
            if not self.delimiter:
                if separator := _SEPARATOR_LINE.fullmatch(text):
                    self.delimiter = separator[1]
                    continue
                self.delimiter = self._detect(text)
            yield self._record(line)

    def _detect(self, header: str) -> str:
        plain = _QUOTED_PART.sub("", header)

        def score(delimiter: str) -> tuple[int, int]:
            names = [name.strip().strip('"').lower() for name in header.split(delimiter)]
            return sum(name in self._known for name in names), plain.count(delimiter)

        return max(DELIMITERS, key=score)

    def _record(self, line: Line) -> Record:
        if '"' not in line.text and not line.cut:
            cells = line.text.split(self.delimiter)
            if len(line.text) <= self._max_cell or max(map(len, cells)) <= self._max_cell:
                return Record(line.number, line.number, cells)
        return _Splitter(line, self._lines, self.delimiter, self._max_cell).record()


class _Splitter:
    """Splits one record that holds quotes, or more than fits."""

    def __init__(self, line: Line, more: Iterator[Line], delimiter: str, max_cell: int) -> None:
        self._first = line
        self._line = line
        self._more = more
        self._delimiter = delimiter
        self._max_cell = max_cell
        self._cells: list[str] = []
        self._damage: list[tuple[Damage, int, int, str]] = []

    def record(self) -> Record:
        position: int | None = 0
        while position is not None:
            quote = _INDENTED_QUOTE.match(self._line.text, position)
            indented_by_delimiter = quote is not None and self._delimiter in quote[0]
            position = (
                self._bare(position)
                if quote is None or indented_by_delimiter
                else self._after_quote(self._quoted(quote.end()))
            )
        if self._line.cut and not self._damage:
            self._harm(Damage.CELL_TOO_LARGE, self._line.number)
        return Record(self._first.number, self._line.number, self._cells, tuple(self._damage))

    def _bare(self, position: int) -> int | None:
        end = self._line.text.find(self._delimiter, position)
        cell = self._line.text[position:] if end < 0 else self._line.text[position:end]
        if len(cell) > self._max_cell:
            self._harm(Damage.CELL_TOO_LARGE, self._line.number)
            cell = ""
        self._cells.append(cell)
        return None if end < 0 else end + 1

    def _quoted(self, position: int) -> int | None:
        """Take a quoted cell and return the position after its closing quote."""
        parts: list[str] = []
        size, opened, excerpt = 0, self._line.number, self._line.text[position : position + 80]
        while True:
            text = self._line.text
            end = text.find('"', position)
            part = text[position:] if end < 0 else text[position:end]
            size += len(part)
            if size <= self._max_cell:
                parts.append(part)
            if end >= 0 and text[end + 1 : end + 2] == '"':
                parts.append('"')
                position = end + 2
                continue
            if end >= 0:
                break
            if self._line.cut and self._line.quotes % 2:
                size = self._max_cell + 1
                end = len(text)
                break
            following = next(self._more, None)
            if following is None:
                self._harm(Damage.UNTERMINATED_QUOTE, opened, excerpt)
                self._cells.append("")
                return None
            size += 1
            parts.append("\n") if size <= self._max_cell else None
            self._line, position = following, 0
        if size > self._max_cell:
            self._harm(Damage.CELL_TOO_LARGE, opened)
            parts = []
        self._cells.append("".join(parts))
        return end + 1

    def _after_quote(self, position: int | None) -> int | None:
        if position is None:
            return None
        text = self._line.text
        end = text.find(self._delimiter, position)
        between = text[position:] if end < 0 else text[position:end]
        if between.strip():
            self._harm(Damage.TEXT_AFTER_QUOTE, self._line.number, between, index=len(self._cells) - 1)
        return None if end < 0 else end + 1

    def _harm(self, damage: Damage, line: int, excerpt: str = "", index: int | None = None) -> None:
        self._damage.append((damage, line, len(self._cells) if index is None else index, excerpt))
