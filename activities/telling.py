"""Telling those who watch what an activity is at: best effort, never part of its result."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Tell = Callable[[str], None]


def _nobody(_: str) -> None:
    """Nobody watches."""


_TELL: ContextVar[Tell] = ContextVar("prism_tell", default=_nobody)


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Have what activities tell within the block go to somebody."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)


def tell(text: str) -> None:
    """Tell whoever watches what the activity is at; without secrets."""
    _TELL.get()(text)
