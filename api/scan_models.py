"""Scans of folders as the API tells them."""

from pydantic import BaseModel, Field

from activities.scans.folder_contracts import CodeFinding, ScanRecord


class ScanBody(BaseModel):
    """Which folder to scan."""

    folder: str = Field(min_length=1, max_length=4096, description="One of PRISM_SCAN_FOLDERS, as it stands there")


class ScanStarted(BaseModel):
    """The scan that was started."""

    scan: str
    folder: str


class Scans(BaseModel):
    """Scans, newest first, and the folders that can be scanned."""

    scans: list[ScanRecord]
    folders: list[str] = []


class ScanDetail(BaseModel):
    """A scan with all it found: the worst first, what somebody suppressed last.

    Args:
        expired: Suppressions that have run out and count no more.
    """

    scan: ScanRecord
    findings: list[CodeFinding] = []
    expired: list[str] = []
