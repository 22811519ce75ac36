"""Brings out of the house what the outbox holds."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.heartbeat import beating
from activities.notifications.contracts import (
    Channel,
    DeliveryState,
    DueReport,
    DueRequest,
    Message,
    Outbox,
    Receipt,
)
from activities.notifications.rules import Rules
from activities.notifications.schedule import retry_delay
from activities.policy.contracts import PolicyUnavailable
from activities.policy.engine import PolicyEngine
from temporal.names import ActivityName

log = logging.getLogger("prism.notifications")

MAX_ATTEMPTS: Final = 10
# All of a batch are sent at once, so that the last has begun long before its lease ends.
BATCH: Final = 16
# One activity empties a full outbox batch by batch, but ends well before its timeout.
ROUND_SECONDS: Final = 30.0


class DeliveryActivities:
    """Delivers what is due. Holds outbox and channels; knows no workflow.

    Args:
        outbox: What is to be sent.
        rules: Which channels have quiet hours.
        channels: The ways out, by name.
        clock: What time it is.
        chance: A random number from 0 to 1, for the pauses.
        policy: Decides which messages may leave; ``None`` lets all.
    """

    def __init__(
        self,
        outbox: Outbox,
        rules: Rules,
        channels: Mapping[str, Channel],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
        policy: PolicyEngine | None = None,
    ) -> None:
        self._outbox = outbox
        self._rules = rules
        self._channels = channels
        self._clock = clock
        self._chance = chance
        self._policy = policy

    @activity.defn(name=ActivityName.DELIVER_DUE)
    async def deliver_due(self, request: DueRequest) -> DueReport:  # noqa: ARG002 -- one model in, one out
        """Send every message that is due, each under its own key, and say when the next one is."""
        return await beating(self._round())

    async def _round(self) -> DueReport:
        ends: Counter[DeliveryState] = Counter()
        began = time.monotonic()
        while time.monotonic() - began < ROUND_SECONDS:
            messages = await self._outbox.take(self._clock(), BATCH)
            if not messages:
                break
            ended = await asyncio.gather(*(self._deliver(message) for message in messages), return_exceptions=True)
            for end in ended:
                # Raised when all have ended: one fault must not cut off what the others are sending.
                if isinstance(end, BaseException):
                    raise end
                ends[end] += 1
        next_due = await self._outbox.next_due()
        wait = None if next_due is None else max((next_due - self._clock()).total_seconds(), 0.0)
        return DueReport(
            delivered=ends[DeliveryState.DELIVERED],
            failed=ends[DeliveryState.FAILED],
            retried=ends[DeliveryState.QUEUED],
            wait_seconds=wait,
        )

    async def _deliver(self, message: Message) -> DeliveryState:
        if message.attempt > MAX_ATTEMPTS:
            # Not one attempt came to an end, so perhaps this message is what kills the workers.
            return await self._give_up(message, "no attempt came to an end")
        rule = self._rules.channels.get(message.channel)
        quiet = rule.quiet_until(self._clock(), message.severity) if rule else None
        if quiet is not None:
            # It was due before the quiet hours, and nobody was there to send it or to take it.
            await self._outbox.postpone(message, quiet)
            return DeliveryState.QUEUED
        return await self._settle(message, await self._held_back(message) or await self._sent(message))

    async def _held_back(self, message: Message) -> Receipt | None:
        """Return what the policy has against sending a message; ``None`` when nothing."""
        if self._policy is None:
            return None
        told = {
            "channel": message.channel,
            "severity": message.severity.value,
            "boards": sorted({item.board for item in message.items}),
            "runs": sorted({item.run for item in message.items}),
        }
        try:
            decision = await self._policy.deliver({"message": told})
        except PolicyUnavailable as error:
            return Receipt(state=DeliveryState.QUEUED, error=error.message)
        if decision.allow:
            return None
        return Receipt(state=DeliveryState.FAILED, error="; ".join(decision.deny) or "the policy gave no reason")

    async def _sent(self, message: Message) -> Receipt:
        channel = self._channels.get(message.channel)
        # Rules that lost a channel may get it back before the attempts are used up.
        return await channel.send(message) if channel else _no_channel()

    async def _settle(self, message: Message, found: Receipt) -> DeliveryState:
        if found.state is DeliveryState.DELIVERED:
            await self._outbox.delivered(message, self._clock())
            return found.state
        if found.state is DeliveryState.FAILED or message.attempt >= MAX_ATTEMPTS:
            return await self._give_up(message, found.error)
        pause: timedelta = max(retry_delay(message.attempt, self._chance()), found.retry_after)
        await self._outbox.retry(message, found.error, self._clock() + pause)
        return DeliveryState.QUEUED

    async def _give_up(self, message: Message, error: str) -> DeliveryState:
        log.warning("message %s is not delivered by channel %s: %s", message.id, message.channel, error)
        await self._outbox.failed(message, error)
        return DeliveryState.FAILED


def _no_channel() -> Receipt:
    return Receipt(state=DeliveryState.QUEUED, error="the rules have no channel of this name")
