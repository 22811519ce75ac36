"""Scans of folders, as ``client.scans``."""

from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call
from api.scan_models import ScanDetail, Scans, ScanStarted


class ScanCalls:
    """Lists, shows and starts scans.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def list(self, folder: str = "") -> Scans:
        """Return scans, newest first, and the folders that can be scanned."""
        return self._client.send(_list(folder))

    def get(self, scan: str) -> ScanDetail:
        """Return a scan with all it found."""
        return self._client.send(_get(scan))

    def start(self, folder: str) -> ScanStarted:
        """Scan a folder now."""
        return self._client.send(_start(folder))


class AsyncScanCalls:
    """Lists, shows and starts scans.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def list(self, folder: str = "") -> Scans:
        """Return scans, newest first, and the folders that can be scanned."""
        return await self._client.send(_list(folder))

    async def get(self, scan: str) -> ScanDetail:
        """Return a scan with all it found."""
        return await self._client.send(_get(scan))

    async def start(self, folder: str) -> ScanStarted:
        """Scan a folder now."""
        return await self._client.send(_start(folder))


def _list(folder: str) -> Call[Scans]:
    return calls.get("/scans", Scans, folder=folder or None)


def _get(scan: str) -> Call[ScanDetail]:
    return calls.get(f"/scans/{calls.part(scan)}", ScanDetail)


def _start(folder: str) -> Call[ScanStarted]:
    return calls.account("POST", "/scans", ScanStarted, {"folder": folder})
