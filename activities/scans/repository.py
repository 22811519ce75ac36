"""Scans a repository with all scanners and its own suppressions."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activities.scans.contracts import ScannerFailed
from activities.scans.folder import FolderScanner
from activities.scans.folder_contracts import FolderReport
from activities.scans.sarif import merged
from activities.scans.scanner import Scanner
from activities.scans.suppressions import FILE, load_suppressions
from activities.scans.tools import SCANNERS


class RepositoryScanner:
    """Runs scanners over a folder; ``.prism-suppressions.yaml`` in it says what does not count.

    Args:
        scanners: By name; by default all.
    """

    def __init__(self, scanners: Mapping[str, Scanner] = SCANNERS) -> None:
        self._scanners = scanners

    async def scan(self, folder: Path) -> tuple[FolderReport, dict[str, Any]]:
        """Return what was found, and the same as SARIF.

        Raises:
            ScannerFailed: It is no folder.
            InvalidSuppressions: Its suppressions cannot be used.
        """
        place = await asyncio.to_thread(folder.resolve)
        if not await asyncio.to_thread(place.is_dir):
            raise ScannerFailed(f"{folder} is no folder that can be read here")
        scanner = FolderScanner(list(self._scanners.values()), load_suppressions(place / FILE))
        report = await scanner.scan(place)
        return report, merged(report)
