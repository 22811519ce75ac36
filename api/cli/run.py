"""The command ``prism run``: from a file to a table of results, whatever is or is not running."""

import asyncio
import shlex
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import click
from rich.console import RenderableType
from rich.status import Status
from rich.text import Text

from activities.records.contracts import RowState
from activities.records.views import RowView, RunView
from activities.tools.tools_file import load_tools
from api.cli import estimates, tables, text
from api.cli.embedded import EmbeddedSystem
from api.cli.look import save
from api.cli.progress import follow
from api.cli.reading import FILE, check, contents, file_name, reading_options, told, tool_options
from api.cli.session import Session, err, with_session
from api.client import PrismApiError, PrismClient
from api.models import Submitted
from catalogs.options import ReadOptions
from temporal.names import ErrorCode

SHOWN_ROWS = 50


@click.command()
@FILE
@reading_options
@click.option("--title", help="What the run is called.  [default: the file's name]")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Rows under way at once.")
@click.option("--budget-usd", type=click.FloatRange(0, min_open=True), help="Most that its model calls may cost.")
@click.option("--pin-policy", is_flag=True, help="Keep to the policy in force now, whatever is newer later.")
@tool_options
@click.option(
    "--out",
    "file_out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results here; .csv, .jsonl or .json.",
)
@with_session
def run(  # noqa: PLR0913, PLR0917 -- click gives each option as an argument
    session: Session,
    file: Path,
    options: ReadOptions,
    title: str | None,
    concurrency: int | None,
    budget_usd: float | None,
    pin_policy: bool,
    tool_rounds: int | None,
    tool_calls: int | None,
    file_out: Path | None,
) -> None:
    """Run a catalog, show its results; starts Prism if need be.

    What it starts it stops again; the state stays under PRISM_HOME. Exit code 1 unless every row succeeded.
    """
    source = contents(file)
    name = file_name(file)
    # Who submits is known to the system, which asks the policy; it may know other tools, agents and documents.
    tools = load_tools(session.settings.tools) or None
    unknown = {"tools": tools, "agents": None, "knowledge": None}
    found = asyncio.run(check(source, options.model_copy(update=unknown)))
    if not session.as_json:
        for part in told(name, found):
            err().print(part)
    if not found.valid:
        if session.as_json:
            session.show(found)
        raise SystemExit(1)
    with ExitStack() as stack:
        url, system = _reach(session, stack)
        client = stack.enter_context((system.session if system else session).client(url))
        submitted = client.submit(
            source,
            title=title or name,
            map=options.columns,
            literal=options.literal,
            skip_invalid=options.skip_invalid,
            concurrency=concurrency,
            budget_usd=budget_usd,
            pin_policy=pin_policy,
            tool_rounds=tool_rounds,
            tool_calls=tool_calls,
        )
        _remark(session, f"run {submitted.run} started: {text.plural(submitted.total, 'row')}")
        _estimated(session, submitted)
        try:
            view = follow(session, client, submitted.run, system.check if system else lambda: None)
        except KeyboardInterrupt:
            _interrupted(session, submitted.run, system)
            raise
        rows = _shown(client, view)
        if file_out:
            save(client, view.run, file_out)
        session.show(
            {"run": view.model_dump(mode="json"), "rows": [row.model_dump(mode="json") for row in rows]},
            *_results(view, rows),
            _next(session, view, rows, url, system, file_out),
        )
        if system:
            with _status(session, "stopping what was started"):
                system.stop()
    if not tables.succeeded(view):
        raise SystemExit(1)


def _reach(session: Session, stack: ExitStack) -> tuple[str, EmbeddedSystem | None]:
    """Return where an API is that answers, and the system where this command had to start it."""
    with session.client() as client:
        try:
            if client.health().status == "ok":
                _remark(session, f"using Prism at {session.url}")
                return session.url, None
        except PrismApiError as error:
            if session.named or error.code is not ErrorCode.API_UNREACHABLE:
                raise
    began = time.monotonic()
    with _status(session, "starting Prism") as spinner:
        report = spinner.update if spinner else _once(session)
        system = stack.enter_context(EmbeddedSystem(session, report))
    _remark(session, f"Prism started in {text.seconds(time.monotonic() - began)} at {system.url}")
    return system.url, system


def _status(session: Session, what: str) -> AbstractContextManager[Status | None]:
    """Show a spinner, on a terminal."""
    console = err()
    return console.status(what, spinner="dots") if console.is_terminal and not session.as_json else nullcontext()


def _once(session: Session) -> Callable[[str], None]:
    """Return a reporter that writes each remark once."""
    known: set[str] = set()

    def report(what: str) -> None:
        if what not in known:
            known.add(what)
            _remark(session, what)

    return report


def _estimated(session: Session, submitted: Submitted) -> None:
    if submitted.estimate and not session.as_json:
        err().print(*estimates.told(submitted.estimate), sep="\n")


def _remark(session: Session, what: str) -> None:
    if not session.as_json:
        err().print(Text.assemble(("• ", "cyan"), what))


def _shown(client: PrismClient, view: RunView) -> list[RowView]:
    """Return the rows to show: all of a small run; of a large one first what did not succeed."""
    if view.total <= SHOWN_ROWS:
        return list(client.rows(view.run))
    rows: list[RowView] = []
    for state in sorted(view.counts, key=lambda state: state is RowState.SUCCEEDED):
        rows += client.rows(view.run, state=state, limit=SHOWN_ROWS - len(rows)) if len(rows) < SHOWN_ROWS else []
    return rows


def _results(view: RunView, rows: list[RowView]) -> list[RenderableType]:
    parts: list[RenderableType] = [tables.rows(rows)]
    if hidden := view.total - len(rows):
        parts.append(Text(f"{text.plural(hidden, 'row')} more: prism rows {view.run}", style="dim"))
    spent = text.seconds(text.between(view.started_at, view.finished_at))
    good = view.counts.get(RowState.SUCCEEDED, 0)
    tokens = view.prompt_tokens + view.completion_tokens
    line = text.state(view.state)
    line.stylize("bold")
    line.append(f": {good:,} of {text.plural(view.total, 'row')} succeeded in {spent}", style="default")
    line.append(f" · {text.rate(view.rows_per_second)} · {tokens:,} tokens · {text.money(view.cost_usd)}", style="dim")
    return [*parts, line]


def _next(
    session: Session, view: RunView, rows: list[RowView], url: str, system: EmbeddedSystem | None, file: Path | None
) -> Text:
    """Return where everything is now, with commands that can be pasted."""
    settings = system.settings if system else session.settings
    pairs: list[tuple[str, str]] = []
    if file:
        pairs.append(("results", f"{file}"))
    else:
        pairs.append(("results", f"prism results {view.run} --out results.csv"))
    sealed = next((row for row in rows if row.envelope), None)
    example = shlex.quote(sealed.row if sealed else rows[0].row) if rows else "ROW"
    pairs.append(("one row", f"prism row {view.run} {example}"))
    if sealed:
        pairs.append(("provenance", f"prism verify {view.run} {example}"))
    if sealed and system:
        digest = str(sealed.envelope).removeprefix("sha256:")
        envelope = _near(settings.artifacts / digest[:2] / digest[2:])
        key = _near(settings.public_key)
        pairs.append(("  offline", f"prism verify --envelope {envelope} --key {key}"))
    if not tables.succeeded(view):
        pairs.append(("try again", f"prism retry {view.run}"))
    pairs.append(("console", f"{url}/runs/{view.run}"))
    if settings.web_url and system:
        pairs.append(("Temporal Web", f"{settings.web_url}/"))
    lines = Text()
    for name, value in pairs:
        lines.append(f"\n{name:<14}", style="dim").append(value)
    if system:
        lines.append("\nPrism stops now; all is kept. Before these commands: prism up", style="dim")
    return lines


def _near(path: Path) -> str:
    """Return a path as short as it can be written from here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _interrupted(session: Session, run: str, system: EmbeddedSystem | None) -> None:
    if system:
        _remark(session, f"stopping; run {run} goes on where it was at the next: prism up")
    else:
        _remark(session, f"run {run} goes on; follow it with: prism status {run} --watch")
