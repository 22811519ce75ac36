"""How old secrets are, and which are to be replaced; pure, and without values."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import NonNegativeInt, PositiveInt

from activities.secrets.contracts import SecretVersion
from activities.secrets.overlap import counting
from temporal.contract import Contract

# What signs webhooks is made up by us: below this Prism replaces the field "value" by itself. Receivers have the
# overlap to follow.
OWN_FOLDER: Final = "webhooks/"


class RotationTerms(Contract):
    """When secrets are replaced.

    Args:
        every: How old one may become; ``None`` asks for no rotation.
        warning: How long before that administrators are told.
        overlap: For how long a replaced version still counts.
    """

    every: timedelta | None = timedelta(days=90)
    warning: timedelta = timedelta(days=14)
    overlap: timedelta = timedelta(days=7)


class AgeState(StrEnum):
    """Whether something is to be done."""

    FRESH = "fresh"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"


class SecretAge(Contract):
    """A secret without its value.

    Args:
        version: The newest.
        since: When that was made.
        counting: Versions that still count, the newest first.
        due: When it is to be replaced; ``None`` for never.
        own: Whether Prism replaces it by itself.
    """

    name: str
    version: PositiveInt
    since: datetime
    age_days: NonNegativeInt
    counting: tuple[int, ...]
    due: datetime | None
    state: AgeState
    own: bool


def age_of(versions: Sequence[SecretVersion], terms: RotationTerms, now: datetime) -> SecretAge:
    """Return how old a secret is.

    Args:
        versions: All of it, oldest first.
        terms: When secrets are replaced.
        now: The moment.
    """
    newest = versions[-1]
    # What was destroyed by hand is not replaced by anybody: it was meant to be gone.
    due = newest.created_at + terms.every if terms.every and not newest.destroyed else None
    return SecretAge(
        name=newest.name,
        version=newest.version,
        since=newest.created_at,
        age_days=max((now - newest.created_at).days, 0),
        counting=tuple(one.version for one in counting(versions, terms.overlap, now)),
        due=due,
        state=state_of(newest.created_at, terms, now) if due else AgeState.FRESH,
        own=newest.name.startswith(OWN_FOLDER),
    )


def state_of(since: datetime, terms: RotationTerms, now: datetime) -> AgeState:
    """Return whether something made at a moment is to be replaced."""
    if terms.every is None:
        return AgeState.FRESH
    if now >= since + terms.every:
        return AgeState.OVERDUE
    return AgeState.DUE_SOON if now >= since + terms.every - terms.warning else AgeState.FRESH
