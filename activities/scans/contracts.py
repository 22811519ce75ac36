"""Scans of texts before they leave the row."""

from typing import Protocol

from activities.artifacts.contracts import Text
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode


class ScannerFailed(PrismError):
    """The scanner is missing, crashed or answered nonsense. That is never a clean result."""

    code = ErrorCode.SCANNER_FAILED
    retryable = True


class ScanRequest(Contract):
    """A text to scan for secrets."""

    step: StepRef
    text: Text


class Finding(Contract):
    """One secret found. The secret itself is never carried.

    Args:
        line: Line within the text, from 1.
        fingerprint: SHA-256 over rule and secret, to recognise it again.
    """

    rule: str
    description: str
    line: int
    column: int
    fingerprint: str


class ScanReport(Contract):
    """What a scanner found; no findings is a clean result."""

    scanner: str
    version: str
    findings: tuple[Finding, ...] = ()


class SecretScanner(Protocol):
    """Finds secrets in a text."""

    async def scan(self, text: str) -> ScanReport:
        """Scan one text.

        Raises:
            ScannerFailed: The scanner gave no trustworthy answer.
        """
        ...
