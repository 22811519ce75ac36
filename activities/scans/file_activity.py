"""Activities that scan files which programs left."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from temporalio import activity

from activities.artifacts.contracts import ArtifactStore
from activities.artifacts.files import Files
from activities.heartbeat import beating
from activities.scans.contracts import CodeScanReport
from activities.scans.file_contracts import FilesScanRequest
from temporal.names import ActivityName


class FileScanner(Protocol):
    """Finds secrets and harmful code in files."""

    async def scan(self, files: Mapping[str, bytes], *, code: bool) -> tuple[CodeScanReport, dict[str, Any]]:
        """Scan files by path for secrets, and with ``code`` for harmful code.

        Returns:
            What was found, and the same as a SARIF document.

        Raises:
            ScannerFailed: A scanner could not look.
        """
        ...


class FileScanActivities:
    """Scans what programs leave.

    Args:
        scanner: Finds secrets and harmful code.
        artifacts: Holds the files, and keeps the findings as SARIF.
    """

    def __init__(self, scanner: FileScanner, artifacts: ArtifactStore) -> None:
        self._scanner = scanner
        self._artifacts = artifacts

    @activity.defn(name=ActivityName.SCAN_FILES)
    async def scan_files(self, request: FilesScanRequest) -> CodeScanReport:
        """Scan the files of one program; the same files give the same report."""
        files = await Files(self._artifacts).read(request.files)
        report, sarif = await beating(self._scanner.scan(files, code=request.code))
        digest = await self._artifacts.put(json.dumps(sarif, indent=2).encode())
        return report.model_copy(update={"sarif": digest})
