"""The commands ``prism audit verify``, ``export`` and ``list``."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from activities.audit.checkpoints import read_anchor
from activities.audit.contracts import AuditEntry, AuditFault, AuditMissing, AuditReport, Checkpoint
from activities.audit.export import kept_checkpoints, verify_export
from activities.audit.signing import PublicKeys
from activities.audit.verify import verify_database
from activities.records.database import open_database
from api.cli import tables, text
from api.cli.session import Session, with_session
from workers.provenance import public_keys
from workers.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FILTER: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option("--kind", multiple=True, help="Only this kind, or all that begin so, such as login; repeatable."),
    click.option("--actor", default="", help="Only what this one did."),
    click.option("--since", default="", help="Only from this day or moment on (ISO 8601, UTC)."),
    click.option("--until", default="", help="Only before this day or moment."),
)


def filtered(command: Any) -> Any:  # noqa: ANN401 -- click's decorators take and return anything
    """Give a command the options that choose entries."""
    for option in reversed(FILTER):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """Verify, export and list who did and decided what."""


@audit.command()
@click.option("--file", type=FILE, help="An export; without it the database of this installation is verified.")
@click.option("--public-key", "keys", type=FILE, multiple=True, help="Key whose signatures count, in PEM; repeatable.")
@click.option("--checkpoint", "kept", type=FILE, multiple=True, help="Earlier export or checkpoint you kept elsewhere.")
@with_session
def verify(session: Session, file: Path | None, keys: tuple[Path, ...], kept: tuple[Path, ...]) -> None:
    """Find every altered, removed, reordered or added entry.

    Reads the database itself, or an export; Prism need not run. Exit code 1 when anything is wrong.
    """
    settings = session.settings
    public = PublicKeys([path.read_bytes() for path in keys] or _installations(settings))
    known = [checkpoint for path in kept for checkpoint in _kept(path)]
    if file:
        with file.open("rb") as lines:
            report = verify_export(lines, public, known)
    else:
        report = _database(settings, public, known)
    session.show(report, *_told(report))
    if not report.valid:
        raise SystemExit(1)


@audit.command()
@filtered
@with_session
def export(session: Session, kind: tuple[str, ...], actor: str, since: str, until: str) -> None:
    """Write entries as JSON lines, oldest first.

    The last line is signed over all others and carries a checkpoint: keep exports where others cannot reach them.
    """
    with session.client() as client:
        for chunk in client.audit.export(kind=list(kind), actor=actor, since=since, until=until):
            sys.stdout.buffer.write(chunk)


@audit.command(name="list")
@filtered
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many, newest first.")
@with_session
def list_(session: Session, kind: tuple[str, ...], actor: str, since: str, until: str, limit: int) -> None:
    """List entries."""
    with session.client() as client:
        page = client.audit.entries(limit=limit, kind=list(kind), actor=actor, since=since, until=until)
    more = [Text(f"the newest {limit} are shown; --limit shows more", style="dim")] if page.next else []
    none = Text("no entry matches", style="dim")
    session.show(page, *([_table(page.entries), *more] if page.entries else [none]))


def _installations(settings: Settings) -> list[bytes]:
    found = public_keys(settings).keys().pems.values()
    if found:
        return list(found)
    raise click.UsageError(f"there is no key at {settings.public_key}: give --public-key FILE")


def _kept(path: Path) -> list[Checkpoint]:
    with path.open("rb") as lines:
        return kept_checkpoints(lines)


def _database(settings: Settings, keys: PublicKeys, known: list[Checkpoint]) -> AuditReport:
    local = settings.records_url.removeprefix("sqlite:///")
    if local != settings.records_url and not Path(local).exists():
        raise AuditMissing(f"there is no database at {local}: set PRISM_HOME or PRISM_DATABASE_URL")
    anchor = read_anchor(settings.audit_anchor)
    engine = open_database(settings.records_url)
    try:
        return verify_database(engine, keys, [*known, *([anchor] if anchor else [])])
    finally:
        engine.dispose()


def _told(report: AuditReport) -> list[RenderableType]:
    whole = f"{text.plural(report.entries, 'entry').replace('entrys', 'entries')}"
    place = f", {report.first} to {report.last}" if report.entries else ""
    pairs = [("last hash", report.head), ("signed up to", _anchored(report)), ("key", report.keyid)]
    if not report.complete:
        pairs.append(("filtered", "this export is a choice of entries; what it leaves out is not proven"))
    if report.valid:
        return [Text.assemble(("✓ whole: ", "bold green"), f"{whole}{place}"), tables.facts(pairs)]
    wrong = text.plural(report.faults_found, "fault")
    head = Text.assemble(("✗ tampered with: ", "bold red"), f"{wrong} in {whole}{place}")
    more = report.faults_found - len(report.faults)
    rest = [Text(f"and {more:,} more", style="dim")] if more else []
    return [head, _faults(report.faults), *rest, tables.facts(pairs)]


def _anchored(report: AuditReport) -> str:
    if not report.anchored:
        return "nothing: no signature vouches for any entry yet"
    since = report.last - report.anchored
    later = f"; the {since} after it are not signed yet" if since else ""
    return f"entry {report.anchored}, at {text.moment(report.anchored_at)}{later}"


def _faults(faults: Sequence[AuditFault]) -> RenderableType:
    made = tables.table("entry", "what is wrong")
    made.columns[0].justify = "right"
    for fault in faults:
        told = Text(text.snippet(fault.what, 400))
        for name, value in (("found", fault.found), ("expected", fault.expected)):
            if value:
                told.append(f"\n{name}: {text.snippet(value)}", style="dim")
        made.add_row(str(fault.sequence), told)
    return made


def _table(entries: Sequence[AuditEntry]) -> RenderableType:
    made = tables.table("entry", "when", "who", "what", "to", "detail")
    made.columns[0].justify = "right"
    for column in (1, 3):
        made.columns[column].no_wrap = True
    for entry in entries:
        detail = ", ".join(f"{name} {_plain(value)}" for name, value in entry.detail.items() if value not in ("", []))
        made.add_row(
            str(entry.sequence),
            text.moment(entry.at),
            Text(text.snippet(entry.actor, 40)),
            entry.kind,
            Text(text.snippet(entry.subject, 48)),
            Text(text.snippet(detail, 56), style="dim"),
        )
    return made


def _plain(value: object) -> str:
    return "; ".join(str(one) for one in value) if isinstance(value, list) else str(value)
