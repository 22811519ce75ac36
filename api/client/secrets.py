"""Secrets, as ``client.secrets``. Values go to the API and never come back."""

from typing import Any

from activities.secrets.ages import SecretAge
from activities.secrets.contracts import SecretVersion
from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call
from api.models import Accepted
from api.secret_models import Secrets
from temporal.secret_reference import VALUE


class SecretCalls:
    """Lists, sets, replaces and removes secrets.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def list(self) -> list[SecretAge]:
        """Return all secrets by name, without values."""
        return self._client.send(_list()).secrets

    def set(self, name: str, value: str, *, field: str = VALUE) -> SecretVersion:
        """Keep a new version of a secret; its other fields stay."""
        return self._client.send(_set(name, value, field))

    def rotate(self, name: str, value: str | None = None, *, field: str = VALUE) -> SecretVersion:
        """Replace a secret that is there; without a value one is made up."""
        return self._client.send(_rotate(name, value, field))

    def delete(self, name: str) -> Accepted:
        """Remove a secret with all its versions."""
        return self._client.send(_delete(name))


class AsyncSecretCalls:
    """Lists, sets, replaces and removes secrets.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def list(self) -> list[SecretAge]:
        """Return all secrets by name, without values."""
        return (await self._client.send(_list())).secrets

    async def set(self, name: str, value: str, *, field: str = VALUE) -> SecretVersion:
        """Keep a new version of a secret; its other fields stay."""
        return await self._client.send(_set(name, value, field))

    async def rotate(self, name: str, value: str | None = None, *, field: str = VALUE) -> SecretVersion:
        """Replace a secret that is there; without a value one is made up."""
        return await self._client.send(_rotate(name, value, field))

    async def delete(self, name: str) -> Accepted:
        """Remove a secret with all its versions."""
        return await self._client.send(_delete(name))


def _list() -> Call[Secrets]:
    return calls.get("/secrets", Secrets)


def _set(name: str, value: str, field: str) -> Call[SecretVersion]:
    return calls.account("PUT", _path(name), SecretVersion, {"value": value, "field": field})


def _rotate(name: str, value: str | None, field: str) -> Call[SecretVersion]:
    body: dict[str, Any] = {"field": field} if value is None else {"value": value, "field": field}
    return calls.account("POST", f"{_path(name)}/rotate", SecretVersion, body)


def _delete(name: str) -> Call[Accepted]:
    return calls.account("DELETE", _path(name), Accepted)


def _path(name: str) -> str:
    return "/secrets/" + "/".join(map(calls.part, name.split("/")))
