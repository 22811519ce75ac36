"""Scans the code of outputs with the scanners of folders."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from activities.scans.code_files import OPTIONAL, CodeFile, code_files
from activities.scans.contracts import CodeScanReport, Finding, ScannerFailed
from activities.scans.folder import SECONDS, FolderScanner
from activities.scans.folder_contracts import CodeFinding, FolderReport
from activities.scans.sarif import merged
from activities.scans.scanner import Scanner
from activities.scans.suppressions import Suppressions
from activities.scans.tools import SCANNERS
from catalogs.row import Language

OUTPUT: Final = "output"
# By these comments code asks scanners not to look. Here the code is what is not trusted, so it is not heeded.
_UNHEEDED: Final = re.compile(r"nosec|nosem(?:grep)?|(?:checkov|bridgecrew):skip|(?:trivy|tfsec):ignore", re.IGNORECASE)


class FolderCodeScanner:
    """Writes the code of an output into a folder and scans that.

    Args:
        scanners: By name; by default all.
        suppressions: Findings that count for nothing, wherever they are.
        seconds: Longest one scanner may take.
        today: What day it is, for suppressions; by default today's.
    """

    def __init__(
        self,
        scanners: Mapping[str, Scanner] = SCANNERS,
        suppressions: Suppressions | None = None,
        *,
        seconds: float = SECONDS,
        today: date | None = None,
    ) -> None:
        self._scanners = scanners
        self._suppressions = suppressions
        self._seconds = seconds
        self._today = today

    async def scan(self, text: str, language: Language | None, program: str) -> tuple[CodeScanReport, dict[str, Any]]:
        """Scan the code of a text, and a program besides.

        Raises:
            ScannerFailed: A scanner could not look: what it would have found is not known.
        """
        report = await self.found(code_files(text, language, program))
        return CodeScanReport(scanners=report.scanners, findings=self.findings(report)), merged(report)

    async def found(self, files: Mapping[str, CodeFile]) -> FolderReport:
        """Return what scanners find in pieces of code, each finding at its origin.

        Raises:
            ScannerFailed: A scanner could not look: what it would have found is not known.
        """
        wanted = {name for one in files.values() for name in one.scanners}
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="prism-code-"))
        try:
            await asyncio.to_thread(_write, folder, files.values())
            scanners = [scanner for name, scanner in self._scanners.items() if name in wanted]
            scan = FolderScanner(scanners, self._suppressions, seconds=self._seconds, today=self._today)
            report = await scan.scan(folder)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        _refuse_incomplete(report, wanted - self._scanners.keys() - OPTIONAL)
        return report.model_copy(update={"findings": tuple(_placed(one, files) for one in report.findings)})

    @staticmethod
    def findings(report: FolderReport) -> tuple[Finding, ...]:
        """Return what is told of a report to the row: what nobody suppressed."""
        return tuple(_finding(one) for one in report.findings if not one.suppressed)


def _write(folder: Path, files: Iterable[CodeFile]) -> None:
    for one in files:
        path = folder / one.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(_UNHEEDED.sub(lambda mark: mark[0][:2] + "_" + mark[0][3:], one.body))


def _refuse_incomplete(report: FolderReport, unknown: set[str]) -> None:
    problems = [f"{state.scanner}: {state.problem}" for state in report.scanners if state.problem]
    problems += [f"{name} is not set up" for name in sorted(unknown)]
    if problems:
        raise ScannerFailed("the code was not scanned by all who should: " + "; ".join(problems))


def _placed(found: CodeFinding, files: Mapping[str, CodeFile]) -> CodeFinding:
    """Return a finding with the line of its origin instead of the file's."""
    one = files[found.path]
    return found.model_copy(update={"path": one.place or OUTPUT, "line": found.line and found.line + one.line - 1})


def _finding(found: CodeFinding) -> Finding:
    return Finding(
        rule=found.rule,
        description=found.message,
        line=found.line,
        column=1,
        fingerprint=found.fingerprint,
        scanner=found.scanner,
        severity=found.severity,
        secret=False,
        place="" if found.path == OUTPUT else found.path,
    )
