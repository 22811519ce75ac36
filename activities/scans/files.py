"""Scans files by path: each for secrets as a text of its own, and what is code by the scanners of code."""

from collections.abc import Mapping
from typing import Any

from activities.scans.code import OUTPUT, FolderCodeScanner
from activities.scans.code_files import files_of_code
from activities.scans.contracts import CodeScanReport, Finding, SecretScanner
from activities.scans.folder_contracts import CodeFinding, FolderReport, ScannerState
from activities.scans.sarif import merged


class FilesScanner:
    """Scans the files that a program left.

    They are not laid into a folder as they are: names and settings among them would tell scanners what to pass over.

    Args:
        secrets: Finds secrets.
        code: Finds harmful code.
    """

    def __init__(self, secrets: SecretScanner, code: FolderCodeScanner) -> None:
        self._secrets = secrets
        self._code = code

    async def scan(self, files: Mapping[str, bytes], *, code: bool) -> tuple[CodeScanReport, dict[str, Any]]:
        """Scan files by path for secrets, and with ``code`` for harmful code.

        Raises:
            ScannerFailed: A scanner could not look: what it would have found is not known.
        """
        states: dict[str, ScannerState] = {}
        secrets: list[Finding] = []
        for path, data in files.items():
            # What is no text is scanned as one: a secret may stand in any file.
            report = await self._secrets.scan(data.decode(errors="replace"))
            states[report.scanner] = ScannerState(scanner=report.scanner, version=report.version)
            secrets += [finding.model_copy(update={"place": path}) for finding in report.findings]
        found = await self._code.found(files_of_code(files)) if code else FolderReport(scanners=())
        told = FolderReport(
            scanners=(*states.values(), *found.scanners),
            findings=(*map(_told, secrets), *found.findings),
            expired=found.expired,
        )
        # A file may be called as the output is elsewhere.
        of_code = [one.model_copy(update={"place": one.place or OUTPUT}) for one in self._code.findings(found)]
        return CodeScanReport(scanners=told.scanners, findings=(*secrets, *of_code)), merged(told)


def _told(secret: Finding) -> CodeFinding:
    return CodeFinding(
        scanner=secret.scanner,
        rule=secret.rule,
        severity=secret.severity,
        message=secret.description,
        path=secret.place,
        line=secret.line,
        fingerprint=secret.fingerprint,
    )
