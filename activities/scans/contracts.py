"""Scans of texts before they leave the row."""

from typing import Any, Protocol

from activities.artifacts.contracts import Digest, Text
from activities.scans.folder_contracts import ScannerState, Severity
from catalogs.row import Language
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
    """Something found in a text: a secret, which is never carried itself, or code that could do harm.

    Args:
        line: Line within the text, from 1; 0 for the whole text.
        fingerprint: SHA-256 over rule and secret, or rule and line, to recognise it again.
        secret: Whether it is a secret.
        place: Where the line is when it is not in the output: the row's own program.
    """

    rule: str
    description: str
    line: int
    column: int
    fingerprint: str
    scanner: str = "gitleaks"
    severity: Severity = Severity.HIGH
    secret: bool = True
    place: str = ""


class ScanReport(Contract):
    """What a scanner found; no findings is a clean result."""

    scanner: str
    version: str
    findings: tuple[Finding, ...] = ()


class CodeScanRequest(Contract):
    """An output whose code is to be scanned.

    Args:
        language: What code is written in that does not say so itself.
        program: The catalog's own program for the output.
    """

    step: StepRef
    text: Text
    language: Language | None = None
    program: Text | None = None


class CodeScanReport(Contract):
    """What scanners found in the code of an output. Each of them looked; none means that there was no code.

    Args:
        sarif: The findings as SARIF 2.1.0, in the artifact store.
    """

    scanners: tuple[ScannerState, ...] = ()
    findings: tuple[Finding, ...] = ()
    sarif: Digest | None = None


class CodeScanner(Protocol):
    """Finds harmful code, infrastructure and configuration in texts."""

    async def scan(self, text: str, language: Language | None, program: str) -> tuple[CodeScanReport, dict[str, Any]]:
        """Scan the code of a text, and a program besides.

        Returns:
            What was found, and the same as a SARIF document.

        Raises:
            ScannerFailed: A scanner could not look.
        """
        ...


class SecretScanner(Protocol):
    """Finds secrets in a text."""

    async def scan(self, text: str) -> ScanReport:
        """Scan one text.

        Raises:
            ScannerFailed: The scanner gave no trustworthy answer.
        """
        ...
