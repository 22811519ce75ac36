"""Business time: deadlines that count working hours only, in the time zone of those who work. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Longer than any deadline a catalog can state, in days that all have an hour.
_LONGEST_DAYS: Final = 366 * 90
_DAY: Final = timedelta(days=1)


class BusinessHours:
    """When people work.

    Args:
        zone: Whose clock counts.
        days: Days of the week, ``mon`` to ``sun``.
        begins: Local time at which work begins.
        ends: Local time at which it ends, later on the same day.
        holidays: Days without work.
    """

    def __init__(
        self, zone: ZoneInfo, days: frozenset[str], begins: time, ends: time, holidays: frozenset[date] = frozenset()
    ) -> None:
        self._zone = zone
        self._days = frozenset(WEEKDAYS.index(day) for day in days)
        self._begins = begins
        self._ends = ends
        self._holidays = holidays

    def after(self, moment: datetime, worked: timedelta) -> datetime:
        """Return when this much working time has passed since a moment.

        Real time is counted, so that an hour that a clock change skips or repeats is neither lost nor counted twice.

        Args:
            moment: An aware moment, within working hours or not.
            worked: How much working time.

        Returns:
            A moment in UTC; at the very end of a working day rather than at the beginning of the next.
        """
        left = worked
        for begins, ends in self._spans(moment.astimezone(self._zone).date()):
            start = max(begins, moment)
            if start >= ends:
                continue
            if ends - start >= left:
                return (start + left).astimezone(UTC)
            left -= ends - start
        raise ValueError("no working time is left in the calendar")

    def _spans(self, first: date) -> Iterator[tuple[datetime, datetime]]:
        # The day before as well: a moment's date may differ from that of the shift it lies in by the zone's offset.
        for number in range(-1, _LONGEST_DAYS):
            day = first + number * _DAY
            if day.weekday() in self._days and day not in self._holidays:
                yield self._at(day, self._begins), self._at(day, self._ends)

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)
