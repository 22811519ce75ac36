"""Scans of folders: which there were, what they found, and a new one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import scanning
from api.errors import errors
from api.permission import Access, may
from api.scan_models import ScanBody, ScanDetail, Scans, ScanStarted
from api.services import Served

router = APIRouter(prefix="/scans", tags=["scans"])

READS = may("scans.read")
Starts = Annotated[Access, may("scans.start")]


@router.get("", responses=errors(422, 503), dependencies=[READS])
async def list_scans(services: Served, folder: Annotated[str, Query(max_length=4096)] = "") -> Scans:
    """List scans, newest first, and the folders that can be scanned."""
    return await scanning.scans(services, folder)


@router.get("/{scan}", responses=errors(404, 422, 503), dependencies=[READS])
async def get_scan(scan: Annotated[str, Path(max_length=100)], services: Served) -> ScanDetail:
    """Show a scan with all it found; `sarif` is an artifact."""
    return await scanning.scan(services, scan)


@router.post("", status_code=202, responses=errors(400, 422, 503))
async def start_scan(body: ScanBody, services: Served, access: Starts) -> ScanStarted:
    """Scan a folder of `PRISM_SCAN_FOLDERS` now."""
    return await scanning.start_scan(services, body.folder, access.principal.name)
