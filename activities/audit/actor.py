"""Who acts now. A request's principal is set once, at the front door, and every record below knows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

# What happens without a request: the first administrator's account, a command on the machine itself.
INSTALLATION: Final = "installation"
_ACTOR: ContextVar[str] = ContextVar("prism_audit_actor", default=INSTALLATION)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Have what is recorded within the block be done by somebody; threads that it waits for know it too."""
    token = _ACTOR.set(name)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def actor() -> str:
    """Return who acts."""
    return _ACTOR.get()
