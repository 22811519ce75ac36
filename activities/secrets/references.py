"""Reads what ``secret://name`` refers to, and lets the process know the values that it must not tell."""

from pydantic import SecretStr

from activities.secrets.contracts import Secret, SecretNotFound, SecretStore, SecretsUnusable, SecretVersion
from temporal.redaction import Redaction
from temporal.secret_reference import SCHEME, BadReference, SecretReference, is_reference, parse_reference


class Remembering:
    """A store of secrets whose values are redacted from the moment they are read.

    Args:
        store: Where they are.
        redaction: Learns them.
    """

    def __init__(self, store: SecretStore, redaction: Redaction) -> None:
        self.store = store
        self._redaction = redaction

    async def get(self, name: str, version: int | None = None) -> Secret:
        """Return a version of a secret; see :class:`SecretStore`."""
        found = await self.store.get(name, version)
        for value in found.fields.values():
            self._redaction.remember(value)
        return found

    async def put(self, name: str, fields: dict[str, SecretStr]) -> SecretVersion:
        """Keep a new version; see :class:`SecretStore`."""
        for value in fields.values():
            self._redaction.remember(value)
        return await self.store.put(name, fields)

    async def versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return all versions, oldest first; see :class:`SecretStore`."""
        return await self.store.versions(name)

    async def names(self) -> tuple[str, ...]:
        """Return the names of all secrets, in order."""
        return await self.store.names()

    async def destroy(self, name: str, version: int) -> None:
        """Make one version unreadable for good; see :class:`SecretStore`."""
        await self.store.destroy(name, version)

    async def delete(self, name: str) -> None:
        """Remove a secret with all its versions; see :class:`SecretStore`."""
        await self.store.delete(name)


async def resolved(value: SecretStr | None, setting: str, store: SecretStore) -> SecretStr | None:
    """Return a setting's value, read from the store where it refers to one: ``secret://name``, ``secret://name#field``.

    Args:
        value: As it was set.
        setting: What it is called, for errors; a value is in none of them.
        store: Where secrets are.

    Raises:
        SecretsUnusable: The reference is none, or the secret or its field is not there.
    """
    if value is None or not is_reference(value.get_secret_value()):
        return value
    return await read(referred(value, setting), setting, store)


def referred(value: SecretStr, setting: str) -> SecretReference:
    """Return what a setting refers to.

    Raises:
        SecretsUnusable: It is no reference; what stands there is not repeated, as it may be a secret.
    """
    try:
        return parse_reference(value.get_secret_value())
    except BadReference:
        raise SecretsUnusable(f"{setting} is not {SCHEME}name or {SCHEME}name#field") from None


async def read(reference: SecretReference, wanted_by: str, store: SecretStore) -> SecretStr:
    """Return the newest value that a reference names.

    Args:
        reference: Which.
        wanted_by: Who refers to it, for errors.
        store: Where secrets are.

    Raises:
        SecretsUnusable: The secret or its field is not there.
    """
    name, field = reference
    try:
        secret = await store.get(name)
    except SecretNotFound:
        raise SecretsUnusable(
            f"{wanted_by} refers to the secret {name!r}, which is not there: prism secrets set {name}"
        ) from None
    found = secret.fields.get(field)
    if found is None:
        raise SecretsUnusable(
            f"{wanted_by} refers to the field {field!r} of the secret {name!r}, which has no such field"
        )
    return found
