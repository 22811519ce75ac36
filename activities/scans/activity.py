"""Activities that scan texts."""

import json

from temporalio import activity

from activities.artifacts.contracts import ArtifactStore, Texts
from activities.heartbeat import beating
from activities.scans.contracts import (
    CodeScanner,
    CodeScanReport,
    CodeScanRequest,
    ScanReport,
    ScanRequest,
    SecretScanner,
)
from temporal.names import ActivityName


class ScanActivities:
    """Scans what leaves a row.

    Args:
        scanner: Finds secrets.
        texts: Reads what is scanned.
    """

    def __init__(self, scanner: SecretScanner, texts: Texts) -> None:
        self._scanner = scanner
        self._texts = texts

    @activity.defn(name=ActivityName.SCAN)
    async def scan(self, request: ScanRequest) -> ScanReport:
        """Scan one text for secrets."""
        return await self._scanner.scan(await self._texts.read(request.text))


class CodeScanActivities:
    """Scans the code of what leaves a row.

    Args:
        scanner: Finds harmful code.
        texts: Reads what is scanned.
        artifacts: Keeps the findings as SARIF.
    """

    def __init__(self, scanner: CodeScanner, texts: Texts, artifacts: ArtifactStore) -> None:
        self._scanner = scanner
        self._texts = texts
        self._artifacts = artifacts

    @activity.defn(name=ActivityName.SCAN_CODE)
    async def scan_code(self, request: CodeScanRequest) -> CodeScanReport:
        """Scan the code of one output; the same output gives the same report."""
        text = await self._texts.read(request.text)
        program = await self._texts.read(request.program) if request.program else ""
        report, sarif = await beating(self._scanner.scan(text, request.language, program))
        digest = await self._artifacts.put(json.dumps(sarif, indent=2).encode())
        return report.model_copy(update={"sarif": digest})
