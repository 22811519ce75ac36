"""Texts of a terminal: states with their colours, numbers as people write them, and other people's words made safe."""

import re
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from activities.records.contracts import RowState, RunState, StepState
from activities.records.views import RowView, RunView

# The escape sequences of a model's answer must not reach the terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(r"\s+")

STYLES: Final[dict[str, tuple[str, str]]] = {
    RowState.PENDING: ("·", "dim"),
    RowState.RUNNING: ("▸", "cyan"),
    RowState.REVIEW: ("?", "magenta"),
    RowState.SUCCEEDED: ("✓", "green"),
    RowState.FAILED: ("✗", "red"),
    RowState.DENIED: ("⊘", "red"),
    RowState.VERIFICATION_FAILED: ("✗", "yellow"),
    RowState.REJECTED: ("✗", "magenta"),
    RowState.BLOCKED: ("⊘", "yellow"),
    RowState.SKIPPED: ("→", "dim"),
    RowState.CANCELLED: ("■", "dim"),
    RunState.SUBMITTED: ("·", "dim"),
    RunState.PAUSED: ("‖", "yellow"),
    RunState.COMPLETED: ("✓", "green"),
    RunState.COMPLETED_WITH_FAILURES: ("✗", "red"),
    RunState.TERMINATED: ("■", "red"),
    StepState.DONE: ("✓", "green"),
}
MINUTE: Final = 60
HOUR: Final = 3600


def safe(text: str) -> str:
    """Return a text without control characters; line ends and tabs stay."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


def snippet(text: str, width: int = 200) -> str:
    """Return a text on one line, shortened."""
    line = _SPACES.sub(" ", safe(text)).strip()
    return line if len(line) <= width else line[: width - 1] + "…"


def state(name: str) -> Text:
    """Return a state with its symbol and colour."""
    symbol, style = STYLES.get(name, ("·", ""))
    return Text(f"{symbol} {str(name).replace('_', ' ')}", style=style, no_wrap=True)


def counts(by_state: dict[RowState, int]) -> Text:
    """Return rows by state on one line."""
    parts = []
    for name in RowState:
        if number := by_state.get(name):
            symbol, style = STYLES[name]
            parts.append(Text(f"{symbol} {number:,} {name.value.replace('_', ' ')}", style=style))
    return Text("   ").join(parts)


def seconds(value: float | None) -> str:
    """Return a duration."""
    if value is None:
        return "-"
    if value < MINUTE:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004 -- two digits are enough
    if value < HOUR:
        return f"{value // MINUTE:.0f} min {value % MINUTE:02.0f} s"
    return f"{value // HOUR:.0f} h {value % HOUR // MINUTE:02.0f} min"


def between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from one moment to another, or to now."""
    if not start:
        return None
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(0.0, (last - datetime.fromisoformat(start)).total_seconds())


def rate(value: float | None) -> str:
    """Return rows per second, or per minute where few end."""
    if value is None:
        return "-"
    return f"{value:,.1f} rows/s" if value >= 1 else f"{value * MINUTE:.1f} rows/min"


def money(value: float) -> str:
    """Return an amount of US dollars."""
    return f"${value:,.2f}" if not value or value >= 1 else f"${value:.4f}"


def saved(view: RunView | RowView) -> str:
    """Return what earlier answers saved, as far as they did."""
    if not view.cached_calls:
        return ""
    return f", {money(view.saved_usd)} saved by {plural(view.cached_calls, 'answer')} from the cache"


def similar(view: RowView) -> str:
    """Return which answers of similar requests served."""
    return "; ".join(f"answer of a similar request, {safe(str(one))}" for one in view.similar)


def moment(value: str | None) -> str:
    """Return a moment in local time."""
    return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else "-"


def plural(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
