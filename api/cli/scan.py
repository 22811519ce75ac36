"""The command ``prism scan``; it needs no server."""

import asyncio
import json
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from activities.scans.folder import FolderScanner
from activities.scans.folder_contracts import FolderReport, Severity
from activities.scans.sarif import merged
from activities.scans.scanner import Scanner
from activities.scans.suppressions import FILE, load_suppressions
from api.cli import tables, text
from api.cli.session import Session, with_session
from workers.scans import installed_scanners

_COLOURS = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.NOTE: "dim",
}
FOUND, NOT_LOOKED = 1, 2
SEVERITIES = [one.value for one in Severity]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--scanner", "names", multiple=True, help="Which, by name.  [default: all that are installed]")
@click.option("--sarif", type=click.Path(dir_okay=False, path_type=Path), help="Write the findings as SARIF 2.1.0.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), default="high", show_default=True, help="Severity.")
@with_session
def scan(session: Session, folder: Path, names: tuple[str, ...], sarif: Path | None, fail_on: str) -> None:
    """Scan a folder with gitleaks, Bandit, Semgrep, Checkov, Trivy.

    With CodeQL too, where it is installed. Packages are looked up in Trivy's database of vulnerabilities where
    PRISM_TRIVY_CACHE says that there is one.

    Exit code 1 when something as bad as --fail-on was found, 2 when a scanner could not look: that is no clean result.
    Findings named in .prism-suppressions.yaml, with a reason and until a day, do not count.
    """
    scanner = FolderScanner(_chosen(session, names), load_suppressions(folder / FILE))
    report = asyncio.run(scanner.scan(folder.resolve()))
    if sarif:
        sarif.write_text(json.dumps(merged(report), indent=2) + "\n")
    session.show(report, *shown(report))
    if report.at_least(Severity(fail_on)):
        raise SystemExit(FOUND)
    if not report.complete:
        raise SystemExit(NOT_LOOKED)


def _chosen(session: Session, names: tuple[str, ...]) -> list[Scanner]:
    known = installed_scanners(session.settings)
    if unknown := sorted(set(names) - known.keys()):
        raise click.BadParameter(f"there is no scanner {unknown[0]} here; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def shown(report: FolderReport) -> list[RenderableType]:
    """Return how each scanner fared, and what was found."""
    states = tables.table("scanner", "version", "took", "found")
    for state in report.scanners:
        count = sum(one.scanner == state.scanner for one in report.findings)
        told = Text(text.safe(state.problem), style="red") if state.problem else Text(str(count))
        states.add_row(state.scanner, state.version, f"{state.seconds:.1f} s", told)
    parts: list[RenderableType] = [states]
    if report.findings:
        parts.append(_findings(report))
    elif report.complete:
        parts.append(Text("nothing was found", style="green"))
    parts += [Text(f"suppression {text.safe(one)}", style="yellow") for one in report.expired]
    return parts


def _findings(report: FolderReport) -> RenderableType:
    made = tables.table("severity", "where", "rule", "what")
    for one in report.findings:
        place = f"{one.path}:{one.line}" if one.line else one.path
        what = f"{one.message} [suppressed: {one.suppressed}]" if one.suppressed else one.message
        style = "dim" if one.suppressed else ""
        made.add_row(
            Text(one.severity.value, style=style or _COLOURS[one.severity]),
            Text(text.safe(place), style=style),
            Text(text.safe(f"{one.scanner} {one.rule}"), style=style),
            Text(text.safe(what), style=style),
        )
    return made
