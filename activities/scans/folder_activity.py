"""The activity that scans a folder of this installation, and tells administrators what is new since the last time."""

import json
from pathlib import Path
from typing import Any, Protocol

from pydantic import NonNegativeInt
from temporalio import activity

from activities.artifacts.contracts import ArtifactStore
from activities.heartbeat import beating
from activities.notifications.contracts import Notification, Notifier
from activities.scans.folder_contracts import CodeFinding, FolderReport, ScannerState, ScanRecord, ScanState, Severity
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError
from temporal.names import ActivityName, ErrorCode

ADMINISTRATORS = ("role:admin",)
# From here on people are told at once; the rest they see on the page.
ALERT_AT = Severity.HIGH
_SHOWN = 5


class FolderNotScanned(PrismError):
    """A folder is none of those that this installation scans; trying again cannot help."""

    code = ErrorCode.SCAN_FORBIDDEN


class FolderScanRequest(Contract):
    """Scan a folder.

    Args:
        scan: Id of the scan; repeated work under it is one scan.
        folder: As the settings name it.
        by: Who asked for it; empty for the calendar.
    """

    folder: str
    scan: str = ""
    by: str = ""


class FolderScanResult(Contract):
    """What came of a scan.

    Args:
        new: Findings that the scan before had not, and that nobody suppressed.
    """

    scan: str
    state: ScanState
    found: NonNegativeInt = 0
    new: NonNegativeInt = 0


class ScansFolders(Protocol):
    """Runs all scanners over a folder."""

    async def scan(self, folder: Path) -> tuple[FolderReport, dict[str, object]]:
        """Return what was found, and the same as SARIF."""
        ...


class ScanRegister(Protocol):
    """Remembers scans."""

    async def begin(self, scan: str, folder: str, by: str) -> None:
        """Note that a scan has begun, once, and who asked for it; nobody is the calendar."""
        ...

    async def end(self, record: ScanRecord) -> None:
        """Note how it ended."""
        ...

    async def before(self, scan: str, folder: str) -> ScanRecord | None:
        """Return the last scan of the folder that ended before this one, if there is one."""
        ...


class FolderScanActivities:
    """Scans folders. Every part of it may be repeated under the same id.

    Args:
        folders: The folders that may be scanned, as the settings name them.
        scanner: Runs the scanners.
        register: Remembers scans.
        artifacts: Keeps reports.
        notifier: Tells administrators.
    """

    def __init__(
        self,
        folders: frozenset[str],
        scanner: ScansFolders,
        register: ScanRegister,
        artifacts: ArtifactStore,
        notifier: Notifier,
    ) -> None:
        self._folders = folders
        self._scanner = scanner
        self._register = register
        self._artifacts = artifacts
        self._notifier = notifier

    @activity.defn(name=ActivityName.SCAN_FOLDER)
    async def scan_folder(self, request: FolderScanRequest) -> FolderScanResult:
        """Scan one folder, keep what was found, and tell what is new."""
        if request.folder not in self._folders:
            raise FolderNotScanned(f"{request.folder} is none of the folders in PRISM_SCAN_FOLDERS")
        await self._register.begin(request.scan, request.folder, request.by)
        try:
            report, sarif = await beating(self._scanner.scan(Path(request.folder)))
        except PrismError as fault:
            nobody = FolderReport(scanners=(ScannerState(scanner="all", problem=fault.message),))
            await self._end(request, ScanRecord(scan=request.scan, folder=request.folder, **_ended(nobody)), nobody, [])
            raise
        earlier = await self._register.before(request.scan, request.folder)
        new = await self._new(report, earlier)
        record = ScanRecord(
            scan=request.scan,
            folder=request.folder,
            **_ended(report),
            new=len(new),
            report=await self._artifacts.put(report.model_dump_json().encode()),
            sarif=await self._artifacts.put(json.dumps(sarif, indent=2).encode()),
        )
        await self._end(request, record, report, new)
        found = sum(record.counts.values())
        return FolderScanResult(scan=request.scan, state=record.state, found=found, new=len(new))

    async def _end(
        self, request: FolderScanRequest, record: ScanRecord, report: FolderReport, new: list[CodeFinding]
    ) -> None:
        await self._register.end(record)
        if notification := _alert(request, report, new):
            await self._notifier.deliver(notification)

    async def _new(self, report: FolderReport, earlier: ScanRecord | None) -> list[CodeFinding]:
        known: set[str] = set()
        if earlier is not None and earlier.report is not None:
            before = FolderReport.model_validate_json(await self._artifacts.get(earlier.report))
            known = {one.fingerprint for one in before.findings if not one.suppressed}
        return [one for one in report.findings if not one.suppressed and one.fingerprint not in known]


def _ended(report: FolderReport) -> dict[str, Any]:
    return {"state": _state(report), "counts": _counts(report), "scanners": report.scanners}


def _state(report: FolderReport) -> ScanState:
    if not report.complete:
        return ScanState.INCOMPLETE
    return ScanState.FINDINGS if report.at_least(Severity.NOTE) else ScanState.CLEAN


def _counts(report: FolderReport) -> dict[Severity, int]:
    found = [one.severity for one in report.findings if not one.suppressed]
    return {severity: found.count(severity) for severity in Severity if severity in found}


def _alert(request: FolderScanRequest, report: FolderReport, new: list[CodeFinding]) -> Notification | None:
    bad = [one for one in new if one.severity.rank >= ALERT_AT.rank]
    problems = [f"{state.scanner}: {state.problem}" for state in report.scanners if state.problem]
    if not bad and not problems:
        return None
    lines = [f"{one.rule} ({one.severity}) in {one.path}:{one.line}" for one in bad[:_SHOWN]]
    if len(bad) > _SHOWN:
        lines.append(f"and {len(bad) - _SHOWN} more")
    title = (
        f"{len(bad)} new finding{'s' if len(bad) > 1 else ''} in {request.folder}"
        if bad
        else f"{request.folder} was not scanned by all"
    )
    return Notification(
        step=StepRef(run="scans", row=request.scan, step="scan"),
        recipients=ADMINISTRATORS,
        title=title,
        body="; ".join([*lines, *problems]),
        severity="error",
    )
