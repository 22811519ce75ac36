"""Scans of folders: started as workflows, read from the records."""

import uuid

from temporalio.service import RPCError

from activities.scans.folder_activity import FolderScanRequest
from activities.scans.folder_contracts import FolderReport
from activities.scans.register import SqlScanRegister
from api.errors import BadRequest, NotFound
from api.scan_models import ScanDetail, Scans, ScanStarted
from api.services import Services
from temporal.client import TemporalUnavailable
from temporal.names import TaskQueue
from workflows.scanning import FolderScanWorkflow

SHOWN = 100


async def scans(services: Services, folder: str = "") -> Scans:
    """Return what is known of scans."""
    found = await SqlScanRegister(services.stores.engine).scans(folder, SHOWN)
    return Scans(scans=found, folders=list(services.settings.scanned_folders))


async def scan(services: Services, identity: str) -> ScanDetail:
    """Return a scan with its findings.

    Raises:
        NotFound: There is none of this id.
    """
    record = await SqlScanRegister(services.stores.engine).scan(identity)
    if record is None:
        raise NotFound(f"there is no scan {identity}", scan=identity)
    if record.report is None:
        return ScanDetail(scan=record)
    report = FolderReport.model_validate_json(await services.stores.artifacts.get(record.report))
    return ScanDetail(scan=record, findings=list(report.findings), expired=list(report.expired))


async def start_scan(services: Services, folder: str, by: str) -> ScanStarted:
    """Start a scan.

    Args:
        services: What this process has.
        folder: Which folder.
        by: Who asks for it.

    Raises:
        BadRequest: The folder is none of those that are scanned here.
        TemporalUnavailable: The Temporal server does not answer.
    """
    folders = services.settings.scanned_folders
    if folder not in folders:
        known = ", ".join(folders) or "none: PRISM_SCAN_FOLDERS is empty"
        raise BadRequest(f"{folder} is none of the folders that are scanned here; these are {known}", folder=folder)
    identity = uuid.uuid4().hex[:16]
    try:
        await services.temporal.start_workflow(
            FolderScanWorkflow.run,
            FolderScanRequest(folder=folder, scan=identity, by=by),
            id=f"scans/{identity}",
            task_queue=TaskQueue.WORKFLOWS,
            static_summary=f"scan {folder}",
        )
    except RPCError as error:
        raise TemporalUnavailable(f"the Temporal server did not take the scan: {error.message}") from error
    return ScanStarted(scan=identity, folder=folder)
