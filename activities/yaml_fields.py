"""Values that people write in YAML, each told what it has to be where it is not: pydantic's field types."""

import re
from datetime import time
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

from catalogs import cells

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _clock(value: object) -> time:
    found = _CLOCK.fullmatch(str(value))
    if found is None:
        raise ValueError("must be a time of day such as 09:00")
    return time(int(found[1]), int(found[2]))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin") from error
    return name


def _amount(value: object) -> float:
    try:
        return cells.money(str(value))
    except cells.BadCell as fault:
        raise ValueError(f"must be {fault.expected}") from None


def _something(amount: float) -> float:
    if not amount:
        raise ValueError("must be more than nothing")
    return amount


Clock = Annotated[time, BeforeValidator(_clock)]
Zone = Annotated[str, AfterValidator(_zone)]
Amount = Annotated[float, BeforeValidator(_amount)]
PositiveAmount = Annotated[Amount, AfterValidator(_something)]
