"""Limits that live in the process: tries to log in, and requests by one caller."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from activities.identity.contracts import TooManyRequests

WINDOW_SECONDS: Final = 15 * 60.0
# One place guesses one name: few. One place tries many names: more, as offices share an address. Many places guess one
# name: many more, as otherwise anybody could lock a person out.
PAIR_TRIES: Final = 5
ADDRESS_TRIES: Final = 30
NAME_TRIES: Final = 100
KEYS_KEPT: Final = 20_000

Clock = Callable[[], float]


class LoginThrottle:
    """Counts tries to log in that did not succeed, by name, by address, and by both.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def attempt(self, name: str, address: str) -> None:
        """Count a try before it is checked, so that many at once are counted too.

        Raises:
            TooManyRequests: There were too many; whether the name exists makes no difference.
        """
        now = self._clock()
        waits = [self._wait(key, limit, now) for key, limit in _keys(name, address)]
        if any(waits):
            raise TooManyRequests(
                "too many attempts to log in; try again later", retry_after=max(1, math.ceil(max(waits)))
            )
        for key, _ in _keys(name, address):
            self._tries.setdefault(key, deque()).append(now)
            self._tries.move_to_end(key)
        while len(self._tries) > KEYS_KEPT:
            self._tries.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Take back the tries of somebody who has proved who they are; the address's others stay."""
        (pair, _), (of_address, _), (of_name, _) = _keys(name, address)
        mine = self._tries.pop(pair, deque())
        for key in (of_address, of_name):
            others = self._tries.get(key, deque())
            for moment in mine:
                if moment in others:
                    others.remove(moment)

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        tries = self._tries.get(key)
        while tries and tries[0] <= now - WINDOW_SECONDS:
            tries.popleft()
        return tries[-limit] + WINDOW_SECONDS - now if tries and len(tries) >= limit else 0.0


class RequestRate:
    """Lets each caller send so many requests a minute, and as many at once after a pause.

    Args:
        per_minute: The limit.
        clock: Seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Clock = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            TooManyRequests: The caller has none left.
        """
        now = self._clock()
        left, then = self._left.get(caller, (self._capacity, now))
        left = min(self._capacity, left + (now - then) * self._per_second)
        if left < 1:
            raise TooManyRequests(
                "too many requests; slow down", retry_after=max(1, math.ceil((1 - left) / self._per_second))
            )
        self._left[caller] = (left - 1, now)
        self._left.move_to_end(caller)
        while len(self._left) > KEYS_KEPT:
            self._left.popitem(last=False)


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    return ((name, address), PAIR_TRIES), (("", address), ADDRESS_TRIES), ((name, ""), NAME_TRIES)
