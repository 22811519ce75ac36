"""Rows on disk between the two passes over a catalog."""

import tempfile
from array import array
from types import TracebackType
from typing import Self

from catalogs.row import CatalogRow


class RowSpool:
    """Keeps rows as JSON in a temporary file; in memory only where each begins."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="prism-catalog-")  # noqa: SIM115 -- closed by __exit__
        self._ends = array("Q", [0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: CatalogRow) -> None:
        """Add a row after the others; not after the first was read back."""
        data = row.model_dump_json().encode()
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def read(self, number: int) -> bytes:
        """Return the JSON of a row, by its number from 0."""
        begin, end = self._ends[number], self._ends[number + 1]
        self._file.seek(begin)
        return self._file.read(end - begin)
