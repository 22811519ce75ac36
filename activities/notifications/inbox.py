"""The embedded notifier: an inbox in the records database, an outbox beside it, and a line in the log."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from activities.notifications.contracts import Delivery, Notification
from activities.notifications.outbox import enqueue
from activities.notifications.rules import Rules
from activities.records.database import timestamp, upsert
from activities.records.tables import NotificationRow

log = logging.getLogger("prism.notifications")

SUBMITTER = "submitter"
_KEY = NotificationRow.__table__.c.key  # type: ignore[attr-defined]


class InboxNotifier:
    """Puts a notification into each recipient's inbox once per key, and what is to leave the house into the outbox.

    Args:
        engine: The records database.
        rules: What leaves the house; ``None`` for nothing.
        clock: What time it is.
    """

    def __init__(
        self, engine: Engine, rules: Rules | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._clock = clock

    async def deliver(self, notification: Notification) -> Delivery:
        """Deliver unless this key was delivered before."""
        delivered = await asyncio.to_thread(self._insert, notification)
        if delivered:
            log.info("%s", notification.title, extra={"run": notification.step.run, "row": notification.step.row})
        return Delivery(key=notification.step.key, delivered=delivered)

    def _insert(self, notification: Notification) -> bool:
        step = notification.step
        now = self._clock()
        recipients = notification.recipients or (SUBMITTER,)
        statement = upsert(self._engine, NotificationRow).on_conflict_do_nothing().returning(_KEY)
        common = {
            "key": step.key,
            "run": step.run,
            "row": step.row,
            "title": notification.title,
            "body": notification.body,
            "severity": notification.severity,
            "at": timestamp(now),
            "round": notification.round,
            "attempt": step.attempt,
        }
        inserted = 0
        with self._engine.begin() as connection:
            for recipient in recipients:
                inserted += len(connection.execute(statement, {**common, "recipient": recipient}).all())
            # One transaction: nothing is in the inbox alone because a process died in between. What had been told
            # before is not told again because the rules have changed since.
            if inserted and self._rules is not None:
                enqueue(connection, self._engine, self._rules, notification, recipients, now)
        return inserted > 0
