"""Telling people."""

from typing import Protocol

from temporal.contract import Contract, StepRef


class Notification(Contract):
    """One message; its step's key makes delivery idempotent.

    Args:
        recipients: Users, roles or channels as written in the catalog; empty means the submitter.
        severity: ``info``, ``warning`` or ``error``.
    """

    step: StepRef
    recipients: tuple[str, ...] = ()
    title: str
    body: str = ""
    severity: str = "info"


class Delivery(Contract):
    """What became of a notification: ``delivered`` is false when it had been delivered before."""

    key: str
    delivered: bool


class Notifier(Protocol):
    """Delivers a notification at most once per key."""

    async def deliver(self, notification: Notification) -> Delivery:
        """Deliver unless this key was delivered before."""
        ...
