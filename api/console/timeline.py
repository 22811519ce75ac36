"""The timeline of a run's rows, and of a row's steps: who did what when, and what waited for whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.records.contracts import RowState
from activities.records.views import RowDetail, RowSpan, StepView
from api.console.formats import duration, moment

# Nobody reads more lanes than these; the table below has the others.
MOST_LANES: Final = 150
# Finer than this a bar could not be seen, nor pointed at.
NARROWEST: Final = 0.35
MOST_TICKS: Final = 6
# What a person reads off an axis without computing, in seconds.
_ROUND: Final = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(minutes * 60 for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600 for hours in (1, 2, 6, 12)),
    *(days * 86400 for days in (1, 2, 7, 14, 28, 91, 182, 365)),
)
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
# Those that cost money or days have a colour each; the others are told apart by their names alone.
KINDS: Final = ("model", "sandbox", "review", "step")
_KINDS: Final = {"model": "model", "judge": "model", "review": "review", "sandbox": "sandbox"}


@dataclass(frozen=True)
class Bar:
    """A piece of a lane; offset and width in percent of the whole time."""

    kind: str
    told: str
    offset: float
    width: float


@dataclass(frozen=True)
class Lane:
    """A row or a step with its pieces.

    Args:
        place: Where it leads: a row's id, or empty.
        state: A state's name, whose colour it has.
    """

    label: str
    place: str
    state: str
    took: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """Lanes over an axis.

    Args:
        ticks: Marks of the axis: place in percent, and text.
        left_out: Lanes past those that are shown.
    """

    lanes: Sequence[Lane]
    ticks: Sequence[tuple[float, str]]
    left_out: int = 0

    @property
    def kinds(self) -> list[str]:
        """What is to be explained beside it."""
        used = {bar.kind for lane in self.lanes for bar in lane.bars}
        return [kind for kind in KINDS if kind in used]


def extent(begins: float, lasts: float, whole: float, narrowest: float) -> tuple[float, float]:
    """Return offset and width of a piece of an axis, in percent, wide enough to be seen and never beyond its ends.

    Args:
        begins: When it begins, in seconds since the axis does.
        lasts: How long it lasts, in seconds.
        whole: How long the axis is, in seconds.
        narrowest: The least width, in percent.
    """
    width = min(max(100 * lasts / whole, narrowest), 100.0)
    return round(max(min(100 * begins / whole, 100 - width), 0.0), 3), round(width, 3)


class _Axis:
    """Places moments between the first and the last, in percent."""

    def __init__(self, moments: Iterable[datetime]) -> None:
        known = sorted(moments)
        self.start = known[0]
        self.seconds = max((known[-1] - known[0]).total_seconds(), 0.001)

    def bar(self, kind: str, told: str, started: datetime, finished: datetime) -> Bar:
        """Return the piece from one moment to another."""
        whole = max((finished - started).total_seconds(), 0.0)
        offset, width = extent((started - self.start).total_seconds(), whole, self.seconds, NARROWEST)
        return Bar(kind, f"{told}, {duration(whole)}", offset, width)

    def ticks(self) -> list[tuple[float, str]]:
        """Return marks at round distances from the start."""
        step = next((one for one in _ROUND if self.seconds / one <= MOST_TICKS), self.seconds)
        marks = range(int(self.seconds / step) + 1)
        return [(round(100 * mark * step / self.seconds, 3), _told(mark * step)) for mark in marks]


def run_timeline(rows: Sequence[RowSpan], now: datetime | None = None) -> Timeline | None:
    """Return the timeline of rows that have begun; ``None`` when none has.

    Args:
        rows: In the order in which they began, perhaps one more than are shown.
        now: Up to when rows under way have come.
    """
    now = now or datetime.now(UTC)
    shown = [(row, _within(row.started_at, row.finished_at, now)) for row in rows[:MOST_LANES]]
    begun = [(row, reach) for row, reach in shown if reach is not None]
    if not begun:
        return None
    axis = _Axis(end for _, reach in begun for end in reach)
    lanes = [_row_lane(axis, row, reach, now) for row, reach in begun]
    return Timeline(lanes, axis.ticks(), max(len(rows) - MOST_LANES, 0))


def row_timeline(row: RowDetail, now: datetime | None = None) -> Timeline | None:
    """Return the timeline of a row's newest execution; ``None`` before its first step."""
    now = now or datetime.now(UTC)
    steps = [step for step in row.steps if step.attempt == row.attempt]
    reaches = [(step, _within(step.started_at, step.finished_at, now)) for step in steps]
    begun = sorted(((step, reach) for step, reach in reaches if reach is not None), key=lambda one: one[1])
    if not begun:
        return None
    waiting = _waiting([reach for _, reach in begun], row.state, now)
    axis = _Axis(end for reach in [*(reach for _, reach in begun), *waiting] for end in reach)
    lanes = [
        Lane(
            step.step,
            "",
            _step_state(step),
            duration(_seconds(reach)),
            (axis.bar(_kind(step.step), step.step, *reach),),
        )
        for step, reach in begun
    ]
    lanes += [
        Lane("review", "", "review", duration(_seconds(reach)), (axis.bar("review", "waits for a person", *reach),))
        for reach in waiting
    ]
    return Timeline(lanes, axis.ticks())


def _row_lane(axis: _Axis, row: RowSpan, reach: tuple[datetime, datetime], now: datetime) -> Lane:
    whole = axis.bar("whole", row.state.value.replace("_", " "), *reach)
    reaches = [(step.step, _within(step.started_at, step.finished_at, now)) for step in row.steps]
    parts = [(name, part) for name, part in reaches if part is not None]
    bars = [axis.bar(_kind(name), name, *part) for name, part in parts]
    bars += [
        axis.bar("review", "waits for a person", *part) for part in _waiting([p for _, p in parts], row.state, now)
    ]
    return Lane(row.title or row.row, row.row, row.state.value, duration(_seconds(reach)), (whole, *bars))


def _waiting(
    parts: Sequence[tuple[datetime, datetime]], state: RowState, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the wait that is under way: a review is recorded once it has ended."""
    return [(max(end for _, end in parts), now)] if parts and state is RowState.REVIEW else []


def _within(started: str | None, finished: str | None, now: datetime) -> tuple[datetime, datetime] | None:
    start = moment(started)
    end = moment(finished) or now
    return (start, max(start, end)) if start else None


def _seconds(reach: tuple[datetime, datetime]) -> float:
    return (reach[1] - reach[0]) / timedelta(seconds=1)


def _kind(step: str) -> str:
    return _KINDS.get(step, "step")


def _step_state(step: StepView) -> str:
    return {"done": "succeeded", "failed": "failed"}.get(step.state.value, "running")


def _told(seconds: float) -> str:
    if seconds and seconds < 1:
        return f"{seconds:.1f} s"
    for size, name in _UNITS:
        if seconds >= size:
            return f"{seconds / size:g} {name}"
    return "0"
