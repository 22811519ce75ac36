"""The store of a cluster: Vault or OpenBao, secrets engine KV of version 2."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import hvac
from hvac import exceptions as faults
from pydantic import Field, PositiveFloat, SecretStr
from requests.exceptions import RequestException

from activities.secrets.contracts import (
    Secret,
    SecretsForbidden,
    SecretsUnavailable,
    SecretVersion,
    checked_fields,
    checked_name,
    missing,
)
from temporal.contract import Contract

# A token is replaced when a third of its life is left.
_RENEWED_AT: Final = 2 / 3
# What may pass by itself; everything else is final.
_PASSING: Final = (
    faults.VaultDown,
    faults.InternalServerError,
    faults.BadGateway,
    faults.RateLimitExceeded,
    faults.VaultNotInitialized,
    RequestException,
)

Result = TypeVar("Result")


class TokenLogin(Contract):
    """A token that somebody else renews."""

    kind: Literal["token"] = "token"
    token: SecretStr


class AppRoleLogin(Contract):
    """Login as an AppRole."""

    kind: Literal["approle"] = "approle"
    role_id: str
    secret_id: SecretStr
    mount: str = "approle"


class KubernetesLogin(Contract):
    """Login with the token of the pod's service account, read anew at each login: Kubernetes replaces it."""

    kind: Literal["kubernetes"] = "kubernetes"
    role: str
    token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: str = "kubernetes"


class VaultAddress(Contract):
    """Where the server is and how this installation gets in.

    Args:
        url: Such as ``https://vault.example.org:8200``.
        mount: Where the KV engine is mounted.
        prefix: Path under it that is ours.
        namespace: Namespace of the server; empty for none.
        ca: PEM file of the authority that signed the server's certificate; without one the system's count.
        timeout_seconds: How long one request may take.
    """

    url: str
    login: TokenLogin | AppRoleLogin | KubernetesLogin = Field(discriminator="kind")
    mount: str = "secret"
    prefix: str = "prism"
    namespace: str = ""
    ca: Path | None = None
    timeout_seconds: PositiveFloat = 10.0


class Vault:
    """Keeps secrets in Vault or OpenBao; logs in at the first request, and again before the token ends."""

    def __init__(self, address: VaultAddress) -> None:
        self._address = address
        self._client = hvac.Client(
            url=address.url,
            namespace=address.namespace or None,
            verify=str(address.ca) if address.ca else True,
            timeout=address.timeout_seconds,
            # The library would else take a token from the environment or from the person's home.
            token="",
        )
        self._login_before = 0.0
        self._logging_in = asyncio.Lock()

    async def get(self, name: str, version: int | None = None) -> Secret:
        """Return a version of a secret; see :class:`SecretStore`."""
        path = self._path(name)
        found = await self._asked(
            lambda kv: kv.read_secret_version(
                path, version=version, mount_point=self._address.mount, raise_on_deleted_version=True
            ),
            name,
            version,
        )
        data = found["data"]
        fields = {field: SecretStr(str(text)) for field, text in data["data"].items()}
        return Secret(name=name, version=data["metadata"]["version"], fields=fields)

    async def put(self, name: str, fields: dict[str, SecretStr]) -> SecretVersion:
        """Keep a new version; see :class:`SecretStore`."""
        path, texts = self._path(name), checked_fields(fields)
        made = await self._asked(
            lambda kv: kv.create_or_update_secret(path, texts, mount_point=self._address.mount), name
        )
        return _version(name, made["data"]["version"], made["data"])

    async def versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return all versions, oldest first; see :class:`SecretStore`."""
        kept = (await self._metadata(name))["versions"]
        return tuple(_version(name, int(number), kept[number]) for number in sorted(kept, key=int))

    async def names(self) -> tuple[str, ...]:
        """Return the names of all secrets, in order."""
        return tuple(sorted(await self._names("")))

    async def destroy(self, name: str, version: int) -> None:
        """Make one version unreadable for good; see :class:`SecretStore`."""
        # The server takes numbers that never were.
        if version not in {one.version for one in await self.versions(name)}:
            raise missing(name, version)
        path = self._path(name)
        await self._asked(
            lambda kv: kv.destroy_secret_versions(path, [version], mount_point=self._address.mount), name, version
        )

    async def delete(self, name: str) -> None:
        """Remove a secret with all its versions; see :class:`SecretStore`."""
        await self._metadata(name)
        path = self._path(name)
        await self._asked(lambda kv: kv.delete_metadata_and_all_versions(path, mount_point=self._address.mount), name)

    async def _metadata(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        found = await self._asked(lambda kv: kv.read_secret_metadata(path, mount_point=self._address.mount), name)
        data: dict[str, Any] = found["data"]
        return data

    async def _names(self, folder: str) -> list[str]:
        path = f"{self._address.prefix}/{folder}"
        found = await self._asked(
            lambda kv: _listed(lambda: kv.list_secrets(path, mount_point=self._address.mount)), folder
        )
        names: list[str] = []
        for key in found:
            names += await self._names(folder + key) if key.endswith("/") else [folder + key]
        return names

    def _path(self, name: str) -> str:
        return f"{self._address.prefix}/{checked_name(name)}"

    async def ask(self, ask: Callable[[hvac.Client], Result]) -> Result:
        """Ask the server, with a login before when one is due and once more when the token is refused.

        Raises:
            VaultError: The server says no.
            RequestException: It does not answer.
        """
        await self._logged_in()
        try:
            return await asyncio.to_thread(ask, self._client)
        except (faults.Forbidden, faults.Unauthorized):
            if self._address.login.kind == "token":
                raise
            self._login_before = 0.0
            await self._logged_in()
            return await asyncio.to_thread(ask, self._client)

    async def _asked(self, ask: Callable[[Any], Result], name: str, version: int | None = None) -> Result:
        """Ask the KV engine."""
        try:
            return await self.ask(lambda client: ask(client.secrets.kv.v2))
        except faults.InvalidPath:
            raise missing(name, version) from None
        except _PASSING as fault:
            # Messages of the libraries may carry what was sent; the kind of the fault says enough.
            raise SecretsUnavailable(
                f"the secrets server {self._address.url} did not answer: {type(fault).__name__}"
            ) from None
        except faults.VaultError as fault:
            raise SecretsForbidden(
                f"the secrets server {self._address.url} refused this installation ({type(fault).__name__}): "
                f"look at the login ({self._address.login.kind}) and its policy",
                name=name,
            ) from None

    async def _logged_in(self) -> None:
        async with self._logging_in:
            if time.monotonic() >= self._login_before:
                began = time.monotonic()
                lasts = await asyncio.to_thread(self._login)
                self._login_before = began + lasts * _RENEWED_AT

    def _login(self) -> float:
        """Log in and return for how many seconds."""
        login = self._address.login
        if isinstance(login, TokenLogin):
            self._client.token = login.token.get_secret_value()
            return float("inf")
        if isinstance(login, AppRoleLogin):
            secret = login.secret_id.get_secret_value()
            answer = self._client.auth.approle.login(login.role_id, secret, mount_point=login.mount)
        else:
            jwt = _pod_token(login.token_file)
            answer = self._client.auth.kubernetes.login(login.role, jwt, mount_point=login.mount)
        # A lease of 0 never ends.
        return float(answer["auth"]["lease_duration"]) or float("inf")


def _pod_token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as fault:
        raise SecretsForbidden(f"the service account's token {path} cannot be read: {fault.strerror}") from fault


def _listed(ask: Callable[[], dict[str, Any]]) -> tuple[str, ...]:
    try:
        return tuple(ask()["data"]["keys"])
    except faults.InvalidPath:
        # So the server tells of a folder without secrets.
        return ()


def _version(name: str, number: int, told: dict[str, Any]) -> SecretVersion:
    # The server may also tell a moment to come, where versions end by themselves.
    ends = told.get("deletion_time")
    gone = bool(told.get("destroyed")) or bool(ends and datetime.fromisoformat(ends) <= datetime.now(UTC))
    created = datetime.fromisoformat(told["created_time"])
    return SecretVersion(name=name, version=number, created_at=created, destroyed=gone)
