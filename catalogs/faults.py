"""What is wrong with a catalog, where, and what was expected there."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from pydantic import NonNegativeInt, PositiveInt

from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

KEPT_FAULTS: Final = 100
SHOWN_CHARS: Final = 120
MISSING_OBJECTIVE: Final = "Task missing required field: 'objective'"


class Severity(StrEnum):
    """Whether a fault stops the catalog."""

    ERROR = "error"
    WARNING = "warning"


class Fault(Contract):
    """One thing wrong with a catalog.

    Args:
        message: What is wrong and what to do, for a person; says the whole without the other fields.
        line: Physical line of the file, from 1; of the cell itself within a multi-line row.
            ``None`` where the fault is of the file as a whole.
        row: Id of the row, empty where it is not known.
        column: Name of the column, empty where the fault is not of one cell.
        found: What stood there, shortened.
        expected: What should have stood there.
    """

    code: ErrorCode
    message: str
    line: PositiveInt | None = None
    row: str = ""
    column: str = ""
    found: str = ""
    expected: str = ""
    severity: Severity = Severity.ERROR


class InvalidCatalog(PrismError):
    """A catalog that cannot run as it is.

    Args:
        faults: The faults kept, in file order.
        found: How many errors were found, kept or not.
        warnings: The warnings kept.
    """

    code = ErrorCode.INVALID_CATALOG

    def __init__(self, faults: Iterable[Fault], found: int, warnings: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.found = found
        self.warnings = tuple(warnings)
        first = self.faults[0] if self.faults else None
        where = f" on line {first.line}" if first and first.line else ""
        super().__init__(
            f"the catalog has {found} error{'s' if found != 1 else ''}"
            + (f"; the first{where}: {first.message}" if first else ""),
            found=found,
            faults=[fault.model_dump(mode="json") for fault in self.faults],
            warnings=[fault.model_dump(mode="json") for fault in self.warnings],
        )


class TemplateFailed(PrismError):
    """A prompt template could not be rendered."""

    code = ErrorCode.TEMPLATE_FAILED


class Findings:
    """Collects faults: counts all, keeps the first of each severity.

    Args:
        keep: How many errors, and how many warnings, are kept.
    """

    def __init__(self, keep: int = KEPT_FAULTS) -> None:
        self._keep = keep
        self._kept: dict[Severity, list[Fault]] = {severity: [] for severity in Severity}
        self._found: dict[Severity, int] = dict.fromkeys(Severity, 0)

    def add(self, fault: Fault) -> None:
        """Count a fault, and keep it while there is room."""
        self._found[fault.severity] += 1
        kept = self._kept[fault.severity]
        if len(kept) < self._keep:
            kept.append(fault)

    def count(self, more: NonNegativeInt) -> None:
        """Count errors that are not described one by one."""
        self._found[Severity.ERROR] += more

    def full(self, severity: Severity = Severity.ERROR) -> bool:
        """Whether a further fault would only be counted: describing it at length is wasted."""
        return len(self._kept[severity]) >= self._keep

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The errors kept, in file order."""
        return _in_file_order(self._kept[Severity.ERROR])

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """The warnings kept, in file order."""
        return _in_file_order(self._kept[Severity.WARNING])

    @property
    def errors_found(self) -> int:
        """How many errors were found."""
        return self._found[Severity.ERROR]

    @property
    def warnings_found(self) -> int:
        """How many warnings were found."""
        return self._found[Severity.WARNING]


def shown(text: str) -> str:
    """Return a text short enough for a message."""
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"


def _in_file_order(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.line or 0))
