"""The embedded notifier: an inbox in the records database, and a line in the log."""

import asyncio
import logging

from sqlalchemy import Engine

from activities.notifications.contracts import Delivery, Notification
from activities.records.database import timestamp, upsert
from activities.records.tables import NotificationRow

log = logging.getLogger("prism.notifications")

SUBMITTER = "submitter"
_KEY = NotificationRow.__table__.c.key  # type: ignore[attr-defined]


class InboxNotifier:
    """Puts a notification into each recipient's inbox once per key.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def deliver(self, notification: Notification) -> Delivery:
        """Deliver unless this key was delivered before."""
        delivered = await asyncio.to_thread(self._insert, notification)
        if delivered:
            log.info("%s", notification.title, extra={"run": notification.step.run, "row": notification.step.row})
        return Delivery(key=notification.step.key, delivered=delivered)

    def _insert(self, notification: Notification) -> bool:
        step = notification.step
        statement = upsert(self._engine, NotificationRow).on_conflict_do_nothing().returning(_KEY)
        common = {
            "key": step.key,
            "run": step.run,
            "row": step.row,
            "title": notification.title,
            "body": notification.body,
            "severity": notification.severity,
            "at": timestamp(),
        }
        inserted = 0
        with self._engine.begin() as connection:
            for recipient in notification.recipients or (SUBMITTER,):
                inserted += len(connection.execute(statement, {**common, "recipient": recipient}).all())
        return inserted > 0
