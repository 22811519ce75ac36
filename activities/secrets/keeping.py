"""What people and the schedule do with secrets: see their ages, set, replace and remove them, each act audited."""

import secrets as randomness
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from activities.audit.contracts import AuditEvent, AuditKind
from activities.secrets.ages import RotationTerms, SecretAge, age_of
from activities.secrets.contracts import InvalidSecret, SecretNotFound, SecretStore, SecretVersion
from activities.secrets.overlap import outdated
from activities.secrets.rows import Audit
from temporal.secret_reference import VALUE

_GENERATED_BYTES: Final = 32


class SecretKeeping:
    """The secrets of an installation, for those who look after them. No method returns a value.

    Args:
        store: Where they are.
        audit: Where each act is written down.
        terms: When secrets are replaced.
        clock: What time it is.
    """

    def __init__(
        self,
        store: SecretStore,
        audit: Audit,
        terms: RotationTerms,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._audit = audit
        self.terms = terms
        self._clock = clock

    async def ages(self) -> tuple[SecretAge, ...]:
        """Return all secrets by name, without values."""
        found = [await self.age(name) for name in await self._store.names()]
        return tuple(age for age in found if age)

    async def age(self, name: str) -> SecretAge | None:
        """Return one without its value, ``None`` where there is none."""
        versions = await self._versions(name)
        return age_of(versions, self.terms, self._clock()) if versions else None

    async def put(self, name: str, field: str, value: SecretStr, actor: str = "") -> SecretVersion:
        """Keep a new version of a secret, new or known; its other fields stay.

        Raises:
            InvalidSecret: The name or the value cannot be kept.
        """
        try:
            others = (await self._store.get(name)).fields
        except SecretNotFound:
            others = {}
        made = await self._store.put(name, others | {field: value})
        await self._write(AuditKind.SECRET_SET, name, actor, version=made.version)
        return made

    async def rotate(
        self, name: str, field: str = VALUE, value: SecretStr | None = None, actor: str = ""
    ) -> SecretVersion:
        """Replace a field of a secret; what it was counts on during the overlap.

        Args:
            name: Of a secret that is there.
            field: Of it.
            value: The new one; without it one is made up.
            actor: Who does it; empty means whoever is acting now.

        Raises:
            SecretNotFound: There is no such secret or field.
            InvalidSecret: The value is the old one, or cannot be kept.
        """
        fields = (await self._store.get(name)).fields
        if field not in fields:
            raise SecretNotFound(f"the secret {name!r} has no field {field!r}", name=name)
        if value is not None and value.get_secret_value() == fields[field].get_secret_value():
            raise InvalidSecret("the new value is the old one")
        fresh = value or SecretStr(randomness.token_urlsafe(_GENERATED_BYTES))
        made = await self._store.put(name, fields | {field: fresh})
        await self._write(AuditKind.SECRET_ROTATED, name, actor, version=made.version)
        return made

    async def delete(self, name: str, actor: str = "") -> None:
        """Remove a secret with all its versions.

        Raises:
            SecretNotFound: There is no such secret.
        """
        await self._store.delete(name)
        await self._write(AuditKind.SECRET_DELETED, name, actor)

    async def destroy_outdated(self, actor: str = "") -> int:
        """Make the values unreadable whose overlap is over, and return how many."""
        count = 0
        for name in await self._store.names():
            for one in outdated(await self._versions(name), self.terms.overlap, self._clock()):
                await self._store.destroy(name, one.version)
                await self._write(AuditKind.SECRET_DESTROYED, name, actor, version=one.version)
                count += 1
        return count

    async def _versions(self, name: str) -> tuple[SecretVersion, ...]:
        try:
            return await self._store.versions(name)
        except SecretNotFound:
            return ()

    async def _write(self, kind: AuditKind, name: str, actor: str, **detail: Any) -> None:  # noqa: ANN401 -- JSON
        await self._audit.write(AuditEvent(kind=kind, actor=actor, subject=f"secret/{name}", detail=detail))


def terms_of(every_days: int, warning_days: int, overlap_days: int) -> RotationTerms:
    """Return terms in days; 0 days asks for no rotation."""
    return RotationTerms(
        every=timedelta(days=every_days) if every_days else None,
        warning=timedelta(days=warning_days),
        overlap=timedelta(days=overlap_days),
    )
