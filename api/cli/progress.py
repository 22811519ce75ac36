"""Following a run: a live view on a terminal, plain lines elsewhere. Both go to standard error."""

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from activities.records.contracts import RowState
from activities.records.views import RowView, RunView
from api.cli import text
from api.cli.session import Session, err
from api.client import PrismApiError, PrismClient
from temporal.names import ErrorCode

POLL_SECONDS = 0.3
LINE_SECONDS = 2.0
SHOWN_ROWS = 6
# An API that is being restarted comes back within this.
PATIENCE_SECONDS = 45.0


class Display(Protocol):
    """Takes a run's state as it changes."""

    def update(self, view: RunView, active: list[RowView]) -> None:
        """Show the run as it is now."""
        ...


def follow(session: Session, client: PrismClient, run: str, alive: Callable[[], None] = lambda: None) -> RunView:
    """Show a run until it ends.

    Args:
        session: The command's session.
        client: A client of the API.
        run: The run.
        alive: Raises when there is no use in waiting.

    Returns:
        The run as it ended.
    """
    console = err()
    if console.is_terminal and not session.as_json:
        bar = _Bar(run)
        with Live(bar, console=console, refresh_per_second=10, transient=True):
            return _poll(client, run, bar, alive)
    return _poll(client, run, _Lines(), alive)


def _poll(client: PrismClient, run: str, display: Display, alive: Callable[[], None]) -> RunView:
    answered = time.monotonic()
    while True:
        alive()
        try:
            view = client.run(run)
            active = list(client.rows(run, state=RowState.RUNNING, limit=SHOWN_ROWS))
            if len(active) < SHOWN_ROWS:
                active += client.rows(run, state=RowState.REVIEW, limit=SHOWN_ROWS - len(active))
        except PrismApiError as error:
            if error.code is not ErrorCode.API_UNREACHABLE or time.monotonic() - answered > PATIENCE_SECONDS:
                raise
            time.sleep(POLL_SECONDS)
            continue
        answered = time.monotonic()
        display.update(view, active)
        if view.state.ended:
            return view
        time.sleep(POLL_SECONDS)


class _Bar:
    """The live view: a bar, the counts by state, and the rows under way."""

    def __init__(self, run: str) -> None:
        self._progress = Progress(
            SpinnerColumn(style="cyan"),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=32, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}", style="dim"),
            TextColumn("ETA {task.fields[eta]}", style="dim"),
        )
        self._task = self._progress.add_task(f"run {run}", total=None, speed="-", eta="-")
        self._run = run
        self._view: RunView | None = None
        self._active: list[RowView] = []

    def update(self, view: RunView, active: list[RowView]) -> None:
        """Show the run as it is now."""
        self._view = view
        self._active = active
        self._progress.update(
            self._task,
            total=view.total or None,
            completed=done(view),
            speed=text.rate(view.rows_per_second),
            eta=text.seconds(view.eta_seconds),
        )

    def __rich__(self) -> RenderableType:
        if self._view is None:
            return self._progress
        parts: list[RenderableType] = [self._progress, Padding(text.counts(self._view.counts), (0, 0, 0, 2))]
        if self._view.state.value == "paused":
            parts.append(Text(f"  paused; go on with: prism resume {self._run}", style="yellow"))
        parts += [_under_way(row, self._run) for row in self._active]
        return Group(*parts)


class _Lines:
    """Plain lines: one when something changed, not more often than every other second."""

    def __init__(self) -> None:
        self._last: object = None
        self._at = -LINE_SECONDS

    def update(self, view: RunView, active: list[RowView]) -> None:  # noqa: ARG002 -- the display's signature
        """Write the run as it is now, unless nothing changed."""
        now = (view.state, tuple(view.counts.items()))
        if not view.total or now == self._last or (time.monotonic() - self._at < LINE_SECONDS and not view.state.ended):
            return
        self._last, self._at = now, time.monotonic()
        states = ", ".join(f"{number} {name.value}" for name, number in view.counts.items() if number)
        line = f"{done(view)}/{view.total} rows  {text.rate(view.rows_per_second)}"
        line += f"  ETA {text.seconds(view.eta_seconds)}" if view.eta_seconds is not None else ""
        err().print(f"{line}  {view.state.value}: {states}", markup=False, soft_wrap=True)


def done(view: RunView) -> int:
    """Return how many rows have ended."""
    return sum(number for name, number in view.counts.items() if name.ended)


def _under_way(row: RowView, run: str) -> Text:
    spent = text.seconds(text.between(row.started_at, None))
    if row.state is RowState.REVIEW:
        return Text(
            f"    ? {text.safe(row.row)} waits for a review: prism approve {run} {text.safe(row.row)} --by YOU",
            style="magenta",
            no_wrap=True,
            overflow="ellipsis",
        )
    told = Text("    ▸ ", style="cyan", no_wrap=True, overflow="ellipsis")
    told.append(text.safe(row.row), style="default")
    told.append(f"  {text.snippet(row.title, 60)}  {spent}", style="dim")
    return told
