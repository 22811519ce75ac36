"""The commands ``prism scans list``, ``show`` and ``start``."""

import click
from rich.console import RenderableType
from rich.text import Text

from activities.scans.folder_contracts import FolderReport, ScanRecord, ScanState
from api.cli import text
from api.cli.scan import shown
from api.cli.session import Session, with_session
from api.cli.tables import table

_COLOURS = {ScanState.CLEAN: "green", ScanState.FINDINGS: "yellow", ScanState.INCOMPLETE: "red"}


@click.group()
def scans() -> None:
    """List, show and start scans of this installation's folders."""


@scans.command(name="list")
@click.option("--folder", default="", help="Only of this one.")
@with_session
def list_(session: Session, folder: str) -> None:
    """List scans, newest first."""
    with session.client() as client:
        found = client.scans.list(folder)
    made = table("scan", "folder", "state", "found", "new", "began")
    for one in found.scans:
        state = Text(one.state.value, style=_COLOURS.get(one.state, ""))
        made.add_row(one.scan, Text(text.safe(one.folder)), state, Text(told(one)), str(one.new), one.started_at[:19])
    none = "nothing was scanned yet" if found.folders else "PRISM_SCAN_FOLDERS names no folder"
    session.show(found, made if found.scans else Text(none, style="dim"))


@scans.command()
@click.argument("scan")
@with_session
def show(session: Session, scan: str) -> None:
    """Show what a scan found."""
    with session.client() as client:
        found = client.scans.get(scan)
    report = FolderReport(scanners=found.scan.scanners, findings=tuple(found.findings), expired=tuple(found.expired))
    head: RenderableType = Text(f"{text.safe(found.scan.folder)}: {found.scan.state.value}, {told(found.scan)}")
    session.show(found, head, *shown(report))


@scans.command()
@click.argument("folder")
@with_session
def start(session: Session, folder: str) -> None:
    """Scan FOLDER now; it is one of PRISM_SCAN_FOLDERS, as it stands there."""
    with session.client() as client:
        started = client.scans.start(folder)
    session.show(started, Text(f"✓ scan {started.scan} started: prism scans show {started.scan}", style="green"))


def told(one: ScanRecord) -> str:
    """Return how much a scan found, the worst first."""
    counts = sorted(one.counts.items(), key=lambda item: -item[0].rank)
    return ", ".join(f"{count} {severity.value}" for severity, count in counts) or "nothing"
