"""The chart of what kept deployments from answering: a lane for each, with its failed requests and open circuits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.analytics.contracts import FailoverEvent, Failovers
from activities.llm.incidents import Change
from api.console.formats import duration, moment
from api.console.timeline import extent

# More lanes than these nobody compares; the table has the others.
MOST_LANES: Final = 20
# Finer than this a mark could not be seen, nor pointed at; in percent.
NARROWEST: Final = 0.5
_MOST_TICKS: Final = 5
_LEAST: Final = timedelta(minutes=1)
_DAY: Final = 86400
_MINUTE: Final = 60
# What a clock or a calendar shows, in seconds.
_ROUND: Final = (10, 30, *(minutes * 60 for minutes in (1, 5, 15, 30)), *(hours * 3600 for hours in (1, 3, 6, 12)))
_DAYS: Final = tuple(days * _DAY for days in (1, 2, 7, 14, 28, 91))
THE_GATEWAY: Final = "the gateway"
_At = tuple[datetime, FailoverEvent]


@dataclass(frozen=True)
class Mark:
    """A piece of a lane; offset and width in percent of the whole time.

    Args:
        kind: ``open`` while the deployment is left alone, ``failed`` for a request, ``probed`` for one that tries.
    """

    kind: str
    told: str
    offset: float
    width: float


@dataclass(frozen=True)
class Lane:
    """A deployment and what happened to it."""

    label: str
    model: str
    failed: int
    opened: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """Lanes over the time from the first incident to the last.

    Args:
        ticks: Marks of the axis: place in percent, and text.
        left_out: Deployments past those that are shown.
    """

    lanes: Sequence[Lane]
    ticks: Sequence[tuple[float, str]]
    left_out: int = 0


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start = start
        self.end = max(end, start + _LEAST)
        self._whole = (self.end - self.start).total_seconds()

    def mark(self, kind: str, told: str, at: datetime, until: datetime | None = None) -> Mark:
        begins, lasts = (at - self.start).total_seconds(), ((until or at) - at).total_seconds()
        return Mark(kind, told, *extent(begins, lasts, self._whole, NARROWEST))

    def ticks(self) -> list[tuple[float, str]]:
        """Return round moments, UTC."""
        step = next((one for one in (*_ROUND, *_DAYS) if self._whole / one <= _MOST_TICKS), _DAYS[-1])
        form = "%m-%d" if step >= _DAY else "%H:%M" if step >= _MINUTE else "%H:%M:%S"
        first = -int(-self.start.timestamp() // step) * step
        moments = [datetime.fromtimestamp(first + step * number, UTC) for number in range(_MOST_TICKS + 1)]
        return [(round(self._place(at), 3), at.strftime(form)) for at in moments if at <= self.end]

    def _place(self, at: datetime) -> float:
        return 100 * (at - self.start).total_seconds() / self._whole


def chart_of(found: Failovers) -> Chart | None:
    """Return the chart of incidents; ``None`` where there are none."""
    events = [(at, event) for event in reversed(found.events) if (at := moment(event.at))]
    if not events:
        return None
    now = moment(found.until) or events[-1][0]
    lanes: dict[str, list[_At]] = {}
    for at, event in events:
        lanes.setdefault(event.deployment or event.model or THE_GATEWAY, []).append((at, event))
    open_ = {name: list(_left_alone(lane, now)) for name, lane in lanes.items()}
    axis = _Axis(events[0][0], max([events[-1][0], *(end for reaches in open_.values() for _, end, _ in reaches)]))
    busiest = sorted(lanes, key=lambda name: -len(lanes[name]))
    return Chart(
        lanes=[_lane(axis, name, lanes[name], open_[name]) for name in busiest[:MOST_LANES]],
        ticks=axis.ticks(),
        left_out=max(len(busiest) - MOST_LANES, 0),
    )


def _lane(axis: _Axis, name: str, events: Sequence[_At], open_: Sequence[tuple[datetime, datetime, str]]) -> Lane:
    marks = [
        axis.mark("open", f"left alone for {duration((end - at).total_seconds())}: {why}", at, end)
        for at, end, why in open_
    ]
    failed = [(at, event) for at, event in events if event.change is None]
    marks += [axis.mark("failed", f"{at:%H:%M:%S} {event.status or event.fault}", at) for at, event in failed]
    marks += [axis.mark("probed", f"{at:%H:%M:%S} probed", at) for at, event in events if event.change is Change.PROBED]
    return Lane(name, events[-1][1].model, len(failed), len(open_), tuple(marks))


def _left_alone(events: Sequence[_At], now: datetime) -> Iterator[tuple[datetime, datetime, str]]:
    """Yield from when to when a circuit was open, and why: until its time was over, or something else became of it."""
    changes = [(at, event) for at, event in events if event.change is not None]
    for place, (at, event) in enumerate(changes):
        if event.change is Change.OPENED:
            after = changes[place + 1][0] if place + 1 < len(changes) else now
            yield at, min(at + timedelta(seconds=event.seconds or 0), after, now), event.message
