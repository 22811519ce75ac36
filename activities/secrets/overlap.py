"""Versions of a secret that still count: the newest, and the ones before it for a while after they were replaced."""

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from activities.secrets.contracts import SecretNotFound, SecretStore, SecretsUnusable, SecretVersion
from temporal.secret_reference import SecretReference

# How long a message may still be signed as before a rotation, without asking the store for every message.
_FRESH_SECONDS: Final = 30.0


def outdated(versions: Sequence[SecretVersion], overlap: timedelta, now: datetime) -> tuple[SecretVersion, ...]:
    """Return the readable versions whose successor has been there for as long as both count.

    Args:
        versions: All of one secret, oldest first.
        overlap: For how long both count.
        now: The moment.
    """
    pairs = itertools.pairwise(versions)
    return tuple(old for old, successor in pairs if not old.destroyed and successor.created_at + overlap <= now)


def counting(versions: Sequence[SecretVersion], overlap: timedelta, now: datetime) -> tuple[SecretVersion, ...]:
    """Return the versions that count, the newest first; arguments as of :func:`outdated`."""
    gone = outdated(versions, overlap, now)
    return tuple(one for one in reversed(versions) if not one.destroyed and one not in gone)


class StoredSigning:
    """What signs webhooks: read from a store again and again, so that a rotation needs no new start.

    Args:
        reference: Where the secret is.
        store: Where secrets are.
        overlap: For how long a replaced secret goes on signing beside the new one.
        clock: What time it is.
    """

    def __init__(
        self,
        reference: SecretReference,
        store: SecretStore,
        overlap: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reference = reference
        self._store = store
        self._overlap = overlap
        self._clock = clock
        self._read: tuple[SecretStr, ...] = ()
        self._read_before = 0.0

    async def secrets(self) -> tuple[SecretStr, ...]:
        """Return the secrets that sign now, the newest first.

        Raises:
            SecretsUnusable: The secret or its field is not there.
            SecretsUnavailable: The store does not answer.
        """
        if time.monotonic() >= self._read_before:
            self._read = await self._current()
            self._read_before = time.monotonic() + _FRESH_SECONDS
        return self._read

    async def _current(self) -> tuple[SecretStr, ...]:
        name, field = self._reference
        try:
            versions = counting(await self._store.versions(name), self._overlap, self._clock())
            kept = [(await self._store.get(name, one.version)).fields.get(field) for one in versions]
        except SecretNotFound:
            kept = []
        found = tuple(value for value in kept if value is not None)
        if not found:
            raise SecretsUnusable(f"the secret {name!r} with field {field!r} that signs webhooks is not there")
        return found
