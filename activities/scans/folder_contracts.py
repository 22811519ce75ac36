"""Scans of folders: code, infrastructure as code, configuration and secrets, by several scanners at once."""

from enum import StrEnum

from pydantic import NonNegativeInt

from temporal.contract import Contract
from temporal.errors import InvalidFile


class InvalidSuppressions(InvalidFile):
    """The suppressions cannot be used; ``details["faults"]`` lists why."""

    what = "suppressions"


class Severity(StrEnum):
    """How bad a finding is, in ascending order, whatever its scanner calls it."""

    NOTE = "note"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return list(Severity).index(self)


class CodeFinding(Contract):
    """Something a scanner found in a file.

    Args:
        path: File within the folder.
        line: Line within the file, from 1; 0 for the whole file.
        fingerprint: SHA-256 over scanner, rule, path and the line's text, to recognise it when lines move.
        suppressed: Why somebody takes no notice of it; empty when nobody does.
    """

    scanner: str
    rule: str
    severity: Severity
    message: str
    path: str
    line: NonNegativeInt = 0
    fingerprint: str
    suppressed: str = ""


class ScannerState(Contract):
    """How a scanner ended; one with a problem found nothing because it did not look.

    Args:
        problem: What kept it from looking; empty when it looked.
    """

    scanner: str
    version: str = ""
    seconds: float = 0.0
    problem: str = ""


class FolderReport(Contract):
    """What all scanners found, the worst first.

    Args:
        expired: Suppressions that have run out and count no more.
    """

    scanners: tuple[ScannerState, ...]
    findings: tuple[CodeFinding, ...] = ()
    expired: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every scanner looked. If not, no findings is no clean result."""
        return not any(state.problem for state in self.scanners)

    def at_least(self, severity: Severity) -> tuple[CodeFinding, ...]:
        """Return the findings that nobody suppressed, from a severity on."""
        return tuple(one for one in self.findings if not one.suppressed and one.severity.rank >= severity.rank)
