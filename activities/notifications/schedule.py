"""When a message may be sent: digests, quiet hours, and the pause before another attempt. Pure."""

from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A receiver that restarts is back within seconds, one that is down may be so for an hour: ten attempts span about
# an hour and a half.
FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(hours=1)
# A receiver that asks for more than a day is not waiting, it is gone.
LONGEST_RETRY_AFTER: Final = timedelta(days=1)


def digest_due(moment: datetime, window: timedelta) -> datetime:
    """Return when a digest that takes in something of this moment is due: the end of its window.

    Windows lie on a grid, so that every process finds the same one without asking.
    """
    return _EPOCH + ((moment - _EPOCH) // window + 1) * window


def quiet_until(moment: datetime, zone: ZoneInfo, begins: time, ends: time) -> datetime | None:
    """Return when the quiet hours end that a moment lies in; ``None`` when it lies in none.

    Args:
        moment: An aware moment.
        zone: Whose clock counts.
        begins: Local time at which it becomes quiet.
        ends: Local time at which it is over, on the next day where that is not later than ``begins``.
    """
    local = moment.astimezone(zone)
    clock = local.time()
    overnight = ends <= begins
    inside = (clock >= begins or clock < ends) if overnight else begins <= clock < ends
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if overnight and clock >= begins else 0)
    end = datetime.combine(day, ends, zone).astimezone(UTC)
    if end <= moment:
        # The clocks were put back and show the hour of the end a second time.
        end = datetime.combine(day, ends.replace(fold=1), zone).astimezone(UTC)
    return end


def retry_delay(attempt: int, chance: float) -> timedelta:
    """Return the pause after a failed attempt: doubled each time, shortened by up to half.

    Args:
        attempt: Which attempt failed, from 1.
        chance: A random number from 0 to 1, so that what failed together does not come back together.
    """
    longest = min(FIRST_RETRY * (1 << min(attempt - 1, 32)), LAST_RETRY)
    return longest * (1 - chance / 2)


def parse_retry_after(value: str | None, now: datetime) -> timedelta:
    """Return the pause that a ``Retry-After`` header asks for; none when it is absent or unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than a day has are a day, and no overflow.
        pause = timedelta(seconds=int(text[:9]))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return timedelta()
        pause = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(pause, timedelta()), LONGEST_RETRY_AFTER)
