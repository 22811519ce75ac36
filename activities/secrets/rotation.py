"""The activity of the schedule: replaces what is Prism's own, and tells administrators of what is not."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import NonNegativeInt
from temporalio import activity

from activities.notifications.contracts import Notification, Notifier
from activities.secrets.ages import AgeState, SecretAge, state_of
from activities.secrets.contracts import SecretNotFound
from activities.secrets.keeping import SecretKeeping
from temporal.contract import Contract, StepRef
from temporal.key_ring import KeyRing, rotate, rotated_at
from temporal.names import ROTATION_SCHEDULE_ID, ActivityName

ADMINISTRATORS: Final = ("role:admin",)
ENCRYPTION_KEYS: Final = "the keys that encrypt what Temporal stores"


class RotationRequest(Contract):
    """Look after the ages of secrets."""


class RotationReport(Contract):
    """What was done; names only.

    Args:
        rotated: What Prism replaced.
        told: What administrators are asked to replace.
        destroyed: How many versions were made unreadable, as their overlap was over.
    """

    rotated: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    destroyed: NonNegativeInt = 0


class OwnKeys(Contract):
    """The file of the keys that encrypt Temporal's payloads.

    Args:
        path: Where it is.
        ours: Whether this installation alone has it. One that was given to several machines is replaced by whoever
            gave it: a key that one of them made would be unknown to the others.
    """

    path: Path
    ours: bool


class RotationActivities:
    """Looks after the ages of secrets. Every part of it may be repeated.

    Args:
        keeping: The secrets.
        notifier: Tells administrators.
        keys: Keys that encrypt payloads, where they are in use.
        clock: What time it is.
    """

    def __init__(
        self,
        keeping: SecretKeeping,
        notifier: Notifier,
        keys: OwnKeys | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keeping = keeping
        self._notifier = notifier
        self._keys = keys
        self._clock = clock

    @activity.defn(name=ActivityName.ROTATE_DUE)
    async def rotate_due(self, _: RotationRequest) -> RotationReport:
        """Replace, tell and destroy what is due."""
        rotated, told = [], []
        for age in await self._keeping.ages():
            if age.own and age.state is AgeState.OVERDUE and await self._rotated(age.name):
                rotated.append(age.name)
            elif age.state is not AgeState.FRESH and not (age.own and age.state is AgeState.DUE_SOON):
                await self._tell(age)
                told.append(age.name)
            # By how it stands, not by what was just done: a worker may have died between the two.
            if age.own:
                await self._tell_receivers(age.name)
        if self._keys and (state := self._state_of(self._keys)) is not AgeState.FRESH:
            if not self._keys.ours:
                await self._tell_of_keys(self._keys, state)
                told.append(ENCRYPTION_KEYS)
            elif state is AgeState.OVERDUE:
                rotate(self._keys.path)
                rotated.append(ENCRYPTION_KEYS)
        destroyed = await self._keeping.destroy_outdated(ROTATION_SCHEDULE_ID)
        return RotationReport(rotated=tuple(rotated), told=tuple(told), destroyed=destroyed)

    def _state_of(self, keys: OwnKeys) -> AgeState:
        if not keys.path.exists():
            return AgeState.FRESH
        return state_of(rotated_at(keys.path), self._keeping.terms, self._clock())

    async def _rotated(self, name: str) -> bool:
        try:
            await self._keeping.rotate(name, actor=ROTATION_SCHEDULE_ID)
        except SecretNotFound:
            # It keeps what signs in a field that is not ours to know.
            return False
        return True

    async def _tell_receivers(self, name: str) -> None:
        age = await self._keeping.age(name)
        if age is None or len(age.counting) == 1:
            return
        until = age.since + self._keeping.terms.overlap
        await self._notifier.deliver(
            Notification(
                step=_step(name, age.version, "rotated"),
                recipients=ADMINISTRATORS,
                title=f"The secret {name} was replaced",
                body=f"Until {until:%Y-%m-%d %H:%M} UTC the old one signs too. Give its receivers the new one before: "
                f"prism secrets get {name}",
                severity="warning",
            )
        )

    async def _tell(self, age: SecretAge) -> None:
        overdue = age.state is AgeState.OVERDUE
        await self._notifier.deliver(
            Notification(
                step=_step(age.name, age.version, age.state),
                recipients=ADMINISTRATORS,
                title=f"The secret {age.name} {'should have been' if overdue else 'is to be'} replaced"
                + (f" by {age.due:%Y-%m-%d}" if age.due else ""),
                body=f"It is {age.age_days} days old. Ask whoever issued it for a new one, then: "
                f"prism secrets rotate {age.name}",
                severity="error" if overdue else "warning",
            )
        )

    async def _tell_of_keys(self, keys: OwnKeys, state: AgeState) -> None:
        newest = KeyRing(keys.path).ids[-1]
        await self._notifier.deliver(
            Notification(
                step=_step(f"keys/{newest}", 0, state),
                recipients=ADMINISTRATORS,
                title="The keys that encrypt what Temporal stores are to be rotated",
                body="They were given to several machines, so this is not done by itself: prism keys rotate, then give "
                "the file to all of them.",
                severity="error" if state is AgeState.OVERDUE else "warning",
            )
        )


def _step(name: str, version: int, what: str) -> StepRef:
    """Return the key under which administrators are told once of a version."""
    return StepRef(run="", row="", step=f"secrets/{what}/{name}", ordinal=version)
