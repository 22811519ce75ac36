"""Activities that scan texts."""

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.scans.contracts import ScanReport, ScanRequest, SecretScanner
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
