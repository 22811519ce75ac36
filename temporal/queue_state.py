"""What is told of a task queue."""

from temporal.contract import Contract


class Poller(Contract):
    """A worker that asks a queue for work.

    Args:
        identity: As the worker calls itself: ``process@host`` unless it was given a name.
        last_seen: When it asked last, ISO 8601 UTC.
        takes: ``workflows``, ``activities`` or both.
    """

    identity: str
    last_seen: str
    takes: tuple[str, ...]


class QueueState(Contract):
    """A task queue.

    Args:
        backlog: How many tasks wait, as Temporal estimates.
        oldest_seconds: How long the oldest of them has waited.
        added_per_second: Tasks that came in, of late.
        taken_per_second: Tasks that workers took, of late.
        problem: Why nothing is known; empty when it is.
    """

    queue: str
    pollers: tuple[Poller, ...] = ()
    backlog: int = 0
    oldest_seconds: float = 0.0
    added_per_second: float = 0.0
    taken_per_second: float = 0.0
    problem: str = ""
