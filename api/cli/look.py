"""Commands that look: status, runs, rows, row, results, notifications."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from activities.artifacts.files import StoredFile, path_problem
from activities.records.contracts import RowState, RunState
from api.cli import tables
from api.cli.progress import follow
from api.cli.session import Session, with_session
from api.client import PrismApiError, PrismClient
from api.client.calls import Form
from temporal.names import ErrorCode

FORMATS = click.Choice(["csv", "jsonl", "json"])
_FORMS: Final[dict[str, Form]] = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json"}


@click.command()
@click.argument("run", required=False)
@click.option("--watch", is_flag=True, help="Follow it to its end; exit code 1 unless every row succeeded.")
@with_session
def status(session: Session, run: str | None, watch: bool) -> None:
    """Show a run, or follow it with --watch.

    Without RUN it is the newest run.
    """
    with session.client() as client:
        name = run or _newest(client)
        view = follow(session, client, name) if watch else client.run(name)
        session.show(view, tables.run(view))
    if watch and not tables.succeeded(view):
        raise SystemExit(1)


@click.command()
@click.option("--state", type=click.Choice([state.value for state in RunState]), help="Only runs in this state.")
@click.option("--search", default="", help="Only runs whose title or id holds this text.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many, newest first.")
@with_session
def runs(session: Session, state: str | None, search: str, limit: int) -> None:
    """List runs."""
    with session.client() as client:
        page = client.runs(state=state, text=search, limit=limit)
    more = [Text(f"the newest {limit} are shown; --limit shows more", style="dim")] if page.next else []
    none = Text("there are no runs yet; start one with: prism run catalog.csv", style="dim")
    session.show(page, *([tables.runs(page.runs), *more] if page.runs else [none]))


@click.command()
@click.argument("run", required=False)
@click.option("--state", type=click.Choice([state.value for state in RowState]), help="Only rows in this state.")
@click.option("--board", default="", help="Only rows of this board.")
@click.option("--search", default="", help="Only rows whose id, title or objective holds this text.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="How many, in plan order.")
@with_session
def rows(session: Session, run: str | None, state: str | None, board: str, search: str, limit: int) -> None:
    """List a run's rows.

    Without RUN it is the newest run.
    """
    with session.client() as client:
        name = run or _newest(client)
        found = list(client.rows(name, state=state, board=board, text=search, limit=limit + 1))
    more = [Text(f"the first {limit} are shown; --limit shows more", style="dim")] if len(found) > limit else []
    found = found[:limit]
    none = Text(f"run {name} has no such rows", style="dim")
    session.show(found, *([tables.rows(found), *more] if found else [none]))


@click.command()
@click.argument("run")
@click.argument("row")
@with_session
def row(session: Session, run: str, row: str) -> None:
    """Show a row with its output and every step."""
    with session.client() as client:
        view = client.row(run, row)
    session.show(view, tables.row(view))


@click.command()
@click.argument("run")
@click.argument("row")
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder to write them into.")
@with_session
def files(session: Session, run: str, row: str, folder: Path | None) -> None:
    """List the files that a row's program left, or download them with --out."""
    with session.client() as client:
        found = client.row(run, row).files
        if folder is not None:
            for one in found:
                _save_file(folder, one, client.artifact(one.digest))
    none = Text(f"row {row} has no files", style="dim")
    told = [Text(f"✓ {len(found)} files are in {folder}", style="green")] if folder is not None and found else []
    session.show(found, *([tables.files(found), *told] if found else [none]))


def _save_file(folder: Path, file: StoredFile, data: bytes) -> None:
    # What a server says is not what this machine writes anywhere.
    if problem := path_problem(file.path):
        raise PrismApiError(f"the path {file.path!r} {problem}", code=ErrorCode.INTERNAL, status=502)
    place = folder / file.path
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise PrismApiError(f"{place.parent} leads out of {folder}", code=ErrorCode.CONFLICT, status=409)
    place.parent.mkdir(parents=True, exist_ok=True)
    write(place, [data])


@click.command()
@click.argument("run", required=False)
@click.option("--format", "form", type=FORMATS, help="Form of the results.  [default: by --out's ending, else csv]")
@click.option("--out", "file", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@with_session
def results(session: Session, run: str | None, form: str | None, file: Path | None) -> None:
    """Download every row's output as CSV, JSON lines or JSON.

    Without RUN it is the newest run.
    """
    with session.client() as client:
        name = run or _newest(client)
        if file is None:
            stream = sys.stdout.buffer
            for chunk in client.stream_results(name, _form("json" if session.as_json else form, None)):
                stream.write(chunk)
            stream.flush()
            return
        save(client, name, file, form)
    session.show({"run": name, "file": str(file)}, Text(f"✓ {file} has the results of run {name}", style="green"))


def save(client: PrismClient, run: str, file: Path, form: str | None = None) -> None:
    """Write a run's results to a file, which appears when it is whole."""
    write(file, client.stream_results(run, _form(form, file)))


def write(file: Path, chunks: Iterable[bytes]) -> None:
    """Write a file, which appears when it is whole."""
    temporary = file.with_name(f".{file.name}.writing")
    try:
        with temporary.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


@click.command()
@click.option("--recipient", default="", help="Only those to this recipient.")
@click.option("--run", "run", default="", help="Only those of this run.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many, newest first.")
@click.option("--mine", is_flag=True, help="Only what was told to you, by name or role.")
@click.option("--unread", is_flag=True, help="Only what was not seen; new ones are bold.")
@click.option("--mark-read", is_flag=True, help="Mark as read, of your own, what is listed.")
@with_session
def notifications(
    session: Session, recipient: str, run: str, limit: int, mine: bool, unread: bool, mark_read: bool
) -> None:
    """List notifications."""
    with session.client() as client:
        found = client.notifications(recipient=recipient, run=run, limit=limit, mine=mine, unread=unread)
        if mark_read and found:
            client.mark_notifications_read([one.key for one in found])
    session.show(found, tables.notifications(found) if found else Text("there are no notifications", style="dim"))


def _newest(client: PrismClient) -> str:
    page = client.runs(limit=1)
    if not page.runs:
        raise PrismApiError(
            "there are no runs yet",
            code=ErrorCode.NOT_FOUND,
            status=404,
            details={"hint": "start one with: prism run catalog.csv"},
        )
    return page.runs[0].run


def _form(given: str | None, file: Path | None) -> Form:
    ending = file.suffix.removeprefix(".").lower() if file else ""
    return _FORMS.get(given or ending, "csv")
