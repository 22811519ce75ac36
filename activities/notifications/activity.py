"""Telling people."""

from temporalio import activity

from activities.notifications.contracts import Delivery, Notification, Notifier
from temporal.names import ActivityName


class NotificationActivities:
    """Delivers notifications. Holds the notifier; knows no workflow."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    @activity.defn(name=ActivityName.NOTIFY)
    async def notify(self, notification: Notification) -> Delivery:
        """Deliver a notification, at most once per key."""
        return await self._notifier.deliver(notification)
