"""How the console words numbers, times and states."""

from datetime import UTC, datetime
from typing import Final

NONE: Final = "\N{EN DASH}"
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_CENT: Final = 0.01
_KIB: Final = 1024
_SLOW: Final = 0.1
_TENTHS_BELOW: Final = 10


def number(value: int) -> str:
    """Return a count with thousands apart: ``10 000``, by a narrow space."""
    return f"{value:,}".replace(",", "\u202f")


def money(value: float) -> str:
    """Return US dollars, small amounts with enough digits to be seen."""
    if 0 < value < _CENT:
        return f"${value:.4f}"
    return f"${value:,.2f}"


def share(value: float | None) -> str:
    """Return a part of a whole in per cent."""
    return NONE if value is None else f"{value:.1%}"


def duration(seconds: float | None) -> str:
    """Return a span of time in its two largest units; tenths below ten seconds."""
    if seconds is None:
        return NONE
    if seconds < _TENTHS_BELOW:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def span(started: str | None, finished: str | None) -> str:
    """Return how long it was between two recorded moments; a dash when either is unknown."""
    start, end = moment(started), moment(finished)
    return duration((end - start).total_seconds()) if start and end else NONE


def rate(value: float | None) -> str:
    """Return rows per second, or per minute where that is easier to read."""
    if value is None:
        return NONE
    return f"{value:.1f} rows/s" if value >= _SLOW else f"{value * _MINUTE:.1f} rows/min"


def size(value: int) -> str:
    """Return a number of bytes."""
    return f"{value} B" if value < _KIB else f"{value / _KIB:.1f} KiB"


def ago(text: str | None) -> str:
    """Return how long ago a recorded moment was, or how soon one comes."""
    at = moment(text)
    if at is None:
        return NONE
    seconds = (datetime.now(UTC) - at).total_seconds()
    distance = abs(seconds)
    if distance < _MINUTE:
        return "just now" if seconds >= 0 else "in a moment"
    for limit, unit, name in ((_HOUR, _MINUTE, "min"), (_DAY, _HOUR, "h"), (30 * _DAY, _DAY, "d")):
        if distance < limit:
            told = f"{int(distance // unit)} {name}"
            return f"{told} ago" if seconds > 0 else f"in {told}"
    return at.strftime("%Y-%m-%d")


def clock(text: str | None) -> str:
    """Return a recorded moment to the second, UTC."""
    at = moment(text)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else NONE


def words(state: str) -> str:
    """Return a state as words: ``verification failed``."""
    return state.replace("_", " ")


def moment(text: str | None) -> datetime | None:
    """Return a recorded moment, or ``None`` where none was recorded."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
