"""Answers as tables."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from activities.artifacts.files import StoredFile
from activities.records.contracts import RowState, RunState
from activities.records.views import NotificationView, RowDetail, RowView, RunView
from api.cli import text
from catalogs.faults import Fault, Severity


def table(*headers: str, title: str | None = None) -> Table:
    """Return an empty table in the house's form."""
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", title=title, title_justify="left", pad_edge=False)
    for header in headers:
        made.add_column(header)
    return made


def facts(pairs: Sequence[tuple[str, RenderableType]]) -> Table:
    """Return names and values, one pair a line."""
    made = Table.grid(padding=(0, 3))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(name, Text(value) if isinstance(value, str) else value)
    return made


def faults(found: Sequence[Fault]) -> Table:
    """Return what is wrong with a catalog."""
    made = table("line", "row", "column", "code", "what is wrong")
    made.columns[0].justify = "right"
    made.columns[3].no_wrap = True
    for fault in found:
        told = Text(text.snippet(fault.message, 600))
        for name, value in (("found", fault.found), ("expected", fault.expected)):
            if value and value not in fault.message:
                told.append(f"\n{name}: {text.snippet(value)}", style="dim")
        style = "red" if fault.severity is Severity.ERROR else "yellow"
        made.add_row(
            str(fault.line or ""),
            Text(text.snippet(fault.row, 60)),
            Text(text.snippet(fault.column, 40)),
            Text(fault.code.value, style=style),
            told,
        )
    return made


def runs(views: Sequence[RunView]) -> Table:
    """Return runs, one a line."""
    made = table("run", "title", "state", "rows", "succeeded", "failed", "seconds", "cost", "created")
    for number in (3, 4, 5, 6, 7):
        made.columns[number].justify = "right"
    for column in (0, 2, 8):
        made.columns[column].no_wrap = True
    for view in views:
        done = sum(number for name, number in view.counts.items() if name.ended)
        good = view.counts.get(RowState.SUCCEEDED, 0)
        made.add_row(
            view.run,
            Text(text.snippet(view.title, 40)),
            text.state(view.state),
            f"{view.total:,}",
            f"{good:,}",
            f"{done - good:,}",
            text.seconds(text.between(view.started_at, view.finished_at)),
            text.money(view.cost_usd),
            text.moment(view.created_at),
        )
    return made


def run(view: RunView) -> RenderableType:
    """Return a run."""
    done = sum(number for name, number in view.counts.items() if name.ended)
    pairs: list[tuple[str, RenderableType]] = [
        ("run", view.run),
        ("title", text.snippet(view.title)),
        ("state", text.state(view.state)),
        ("rows", f"{done:,} of {view.total:,} ended"),
        ("", text.counts(view.counts)),
        ("speed", text.rate(view.rows_per_second)),
        ("time", text.seconds(text.between(view.started_at, view.finished_at))),
        ("tokens", f"{view.prompt_tokens:,} in, {view.completion_tokens:,} out"),
        ("cost", text.money(view.cost_usd) + text.saved(view)),
        ("local", local(view)),
        ("created", text.moment(view.created_at)),
        ("plan", view.plan),
    ]
    if not view.state.ended:
        pairs.insert(6, ("ETA", text.seconds(view.eta_seconds)))
    return facts(pairs)


def local(view: RunView) -> str:
    """Return what local models took of a run's calls."""
    share = view.local_share
    return "-" if share is None else f"{share:.1%} of {text.plural(view.calls, 'call')}"


def rows(views: Sequence[RowView]) -> Table:
    """Return rows, one a line, with what came out."""
    made = table("row", "state", "model", "criteria", "seconds", "output")
    made.columns[0].overflow = "fold"
    made.columns[1].no_wrap = True
    made.columns[2].overflow = "fold"
    made.columns[4].justify = "right"
    made.columns[5].no_wrap = True
    made.columns[5].overflow = "ellipsis"
    made.columns[5].ratio = 1
    made.expand = True
    for view in views:
        spent = text.between(view.started_at, view.finished_at) if view.state.ended or view.started_at else None
        said = Text(text.snippet(view.output or "")) if view.state.value == "succeeded" else _trouble(view)
        made.add_row(
            Text(text.safe(view.row)),
            text.state(view.state),
            Text(text.snippet(view.model.rpartition("/")[2], 40)),
            criteria(view.verdicts),
            text.seconds(spent),
            said,
        )
    return made


def criteria(verdicts: Sequence[dict[str, Any]]) -> Text:
    """Return how many criteria passed, failed and stay unverified."""
    told = Text(no_wrap=True)
    for symbol, style, outcome in (("✓", "green", True), ("✗", "red", False), ("○", "yellow", None)):
        if number := sum(verdict.get("passed") is outcome for verdict in verdicts):
            told.append(f"{symbol}{number} ", style=style)
    told.rstrip()
    return told


def row(view: RowDetail) -> RenderableType:
    """Return a row with its criteria, its output and its steps."""
    pairs: list[tuple[str, RenderableType]] = [
        ("row", f"{view.row}  (run {view.run})"),
        ("title", text.snippet(view.title)),
        ("objective", text.snippet(view.objective, 400)),
        ("state", text.state(view.state)),
    ]
    if view.code:
        pairs.append(("why", Text(f"{text.safe(view.message)} [{view.code}]", style="red")))
    if view.variant:
        pairs.append(("variant", f"{view.variant} of {view.experiment}"))
    pairs += [
        ("after", ", ".join(view.upstream) or "-"),
        *([("planned by", text.safe(view.planned_by))] if view.planned_by else []),
        ("model", text.snippet(view.model) or "-"),
        ("tokens", f"{view.prompt_tokens:,} in, {view.completion_tokens:,} out"),
        ("cost", text.money(view.cost_usd) + text.saved(view)),
        *([("cache", text.similar(view))] if view.similar else []),
        ("time", text.seconds(text.between(view.started_at, view.finished_at))),
        ("attempt", str(view.attempt)),
        ("envelope", view.envelope or "-"),
    ]
    parts: list[RenderableType] = [facts(pairs)]
    if view.verdicts:
        parts.append(_verdicts(view.verdicts))
    if view.steps:
        parts.append(_steps(view))
    if view.failed_requests:
        parts.append(_failed(view))
    if view.files:
        parts.append(files(view.files))
    if (output := view.shown_output) is not None:
        parts += [Text("output", style="bold"), Padding(Text(text.safe(output)), (0, 0, 0, 2))]
    elif view.output_digest:
        parts.append(Text(f"the output is large; its artifact is {view.output_digest}", style="dim"))
    return Group(*parts)


def files(listed: Sequence[StoredFile]) -> Table:
    """Return files, one a line."""
    made = table("file", "bytes", "digest")
    for one in listed:
        made.add_row(Text(text.safe(one.path)), f"{one.size:,}", one.digest)
    return made


def notifications(views: Sequence[NotificationView]) -> Table:
    """Return notifications, one a line."""
    made = table("at", "to", "run", "row", "what")
    made.columns[0].no_wrap = True
    for view in views:
        colour = {"error": "red", "warning": "yellow"}.get(view.severity, "")
        told = Text(text.snippet(view.title), style=colour if view.read_at else f"bold {colour}".strip())
        if view.body:
            told.append(f"\n{text.snippet(view.body)}", style="not bold dim")
        made.add_row(text.moment(view.at), Text(text.safe(view.recipient)), view.run, Text(text.safe(view.row)), told)
    return made


def succeeded(view: RunView) -> bool:
    """Return whether a run ended with every row succeeded."""
    return view.state is RunState.COMPLETED


def _trouble(view: RowView) -> Text:
    told = f"{view.message} [{view.code}]" if view.code else view.output or ""
    return Text(text.snippet(told), style="" if not view.code else "red")


def _verdicts(verdicts: Sequence[dict[str, Any]]) -> Table:
    made = table("criterion", "basis", "verdict", "reason")
    for verdict in verdicts:
        passed = verdict.get("passed")
        told = Text("○ open", "yellow") if passed is None else Text("✓ passed", "green") if passed else None
        made.add_row(
            Text(text.snippet(str(verdict.get("criterion", "")))),
            str(verdict.get("basis", "")),
            told or Text("✗ failed", "red"),
            Text(text.snippet(str(verdict.get("reason", "")))),
        )
    return made


def _failed(view: RowDetail) -> Table:
    made = table("failed request", "of step", "deployment", "status", "after", "what it said")
    for one in view.failed_requests:
        made.add_row(
            str(one.number),
            _step_name(one.step, one.ordinal),
            Text(text.safe(one.model or "the gateway")),
            f"{one.status or one.fault}",
            f"{one.milliseconds:,} ms",
            Text(text.snippet(one.message, 200)),
        )
    return made


def _step_name(step: str, ordinal: int) -> str:
    from workflows.performing import CALLS_PER_GENERATION  # noqa: PLC0415 -- only here, and it imports every step's contract

    ordinal %= CALLS_PER_GENERATION
    return f"{step} {ordinal + 1}" if ordinal else step


def _steps(view: RowDetail) -> Table:
    several = any(step.attempt != 1 for step in view.steps)
    made = table(*(["attempt"] if several else []), "step", "state", "seconds", "what happened")
    for step in view.steps:
        name = _step_name(step.step, step.ordinal)
        made.add_row(
            *([str(step.attempt)] if several else []),
            name,
            text.state(step.state),
            text.seconds(text.between(step.started_at, step.finished_at)),
            Text(text.snippet(step.summary)),
        )
    return made
