"""Telling people: into their inbox at once, and out of the house by the outbox."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pydantic import NonNegativeInt, PositiveInt

from temporal.contract import Contract, StepRef


class Notification(Contract):
    """One message; its step's key makes delivery idempotent.

    Args:
        recipients: Users, roles or channels as written in the catalog; empty means the submitter.
        severity: ``info``, ``warning`` or ``error``.
        round: The round of a review that it asks for; 0 where it asks for none.
    """

    step: StepRef
    recipients: tuple[str, ...] = ()
    title: str
    body: str = ""
    severity: str = "info"
    round: NonNegativeInt = 0


class Delivery(Contract):
    """What became of a notification: ``delivered`` is false when it had been delivered before."""

    key: str
    delivered: bool


class Notifier(Protocol):
    """Delivers a notification at most once per key."""

    async def deliver(self, notification: Notification) -> Delivery:
        """Deliver unless this key was delivered before."""
        ...


class Severity(StrEnum):
    """How much a notification matters, in ascending order."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return list(Severity).index(self)

    @classmethod
    def of(cls, text: str) -> "Severity":
        """Return the severity a text names; one that nobody knows is not taken lightly."""
        return cls(text) if text in set(cls) else cls.ERROR


class EventKind(StrEnum):
    """What a notification tells of."""

    REVIEW = "review"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    END = "end"


def event_kind(step: str) -> EventKind | None:
    """Return what the notification of a step tells of; ``None`` for a step that tells of something else."""
    if step == "notify":
        return EventKind.END
    return EventKind(step) if step in set(EventKind) else None


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"


class Item(Contract):
    """A notification as a message carries it.

    Args:
        key: The notification's own key; stays the same in every message.
        event: An ``EventKind``, or the name of another step.
        link: Where the person it goes to decides with one click, or where anybody sees what is to be decided.
    """

    key: str
    run: str
    row: str
    board: str
    event: str
    severity: Severity
    title: str
    body: str
    recipients: tuple[str, ...]
    at: str
    link: str = ""

    @property
    def text(self) -> str:
        """What it says below its title."""
        return f"{self.body}\n\n{self.link}".strip() if self.link else self.body


class Message(Contract):
    """What is sent to one channel at once: one notification, or a digest of several.

    Args:
        id: Its idempotency key towards the receiver; every repetition has the same one and the same items.
        attempt: How many times it was begun, with this one.
    """

    id: str
    channel: str
    attempt: PositiveInt
    items: tuple[Item, ...]

    @property
    def severity(self) -> Severity:
        """The highest severity in it."""
        return max((item.severity for item in self.items), key=lambda severity: severity.rank)

    @property
    def title(self) -> str:
        """One line for a person."""
        return self.items[0].title if len(self.items) == 1 else f"{len(self.items)} notifications"

    @property
    def text(self) -> str:
        """The whole message for a person."""
        if len(self.items) == 1:
            return self.items[0].text
        return "\n\n".join(f"{item.title}\n{item.text}".strip() for item in self.items)


class Receipt(Contract):
    """What became of one attempt.

    Args:
        state: ``queued`` when another attempt may help.
        error: Why it was not delivered; never holds a URL or anything else that is secret.
        retry_after: How long the receiver asked to be left alone.
    """

    state: DeliveryState
    error: str = ""
    retry_after: timedelta = timedelta()


class ReviewLinker(Protocol):
    """Knows where reviews are decided."""

    def page_of(self, run: str, row: str) -> str:
        """Return where anybody who logs in sees a row."""
        ...

    def link_for(self, person: str, item: Item, attempt: int, round: int) -> str:  # noqa: A002 -- of a review
        """Return where a person decides with one click; the same for every repetition of a message."""
        ...


class Channel(Protocol):
    """A way out of the house."""

    async def send(self, message: Message) -> Receipt:
        """Try once to bring a message to the receiver, within a bounded time.

        Faults of receiver and network are receipts, so that no error text carries a secret.
        """
        ...


class Outbox(Protocol):
    """What is still to be sent, and what became of what was."""

    async def take(self, now: datetime, limit: int) -> list[Message]:
        """Begin an attempt at messages that are due; nobody else gets them before the lease ends."""
        ...

    async def delivered(self, message: Message, now: datetime) -> None:
        """Keep that a message reached its receiver."""
        ...

    async def failed(self, message: Message, error: str) -> None:
        """Keep that a message is given up."""
        ...

    async def retry(self, message: Message, error: str, at: datetime) -> None:
        """Keep that a message is to be tried again."""
        ...

    async def postpone(self, message: Message, until: datetime) -> None:
        """Put a message back that was not sent; the attempt does not count."""
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next message is due, ``None`` when nothing waits."""
        ...


class DueRequest(Contract):
    """Deliver what is due."""


class DueReport(Contract):
    """What one round did.

    Args:
        wait_seconds: Until the next message is due; ``None`` when nothing waits.
    """

    delivered: NonNegativeInt = 0
    failed: NonNegativeInt = 0
    retried: NonNegativeInt = 0
    wait_seconds: float | None = None
