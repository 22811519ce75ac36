"""Requests to a Kubernetes API server: each has a time limit, is repeated where that helps, and fails in words."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTResponse

from activities.sandbox.contracts import InvalidSandbox, SandboxUnavailable
from activities.sandbox.kubernetes_manifest import Manifest
from activities.sandbox.kubernetes_outcome import SandboxRefused, refusal

_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_LAST_GOOD: Final = 299
_GONE: Final = 410
_PLURALS: Final = {"Job": "jobs", "Secret": "secrets", "NetworkPolicy": "networkpolicies"}


@dataclass(frozen=True)
class Patience:
    """How long the API server is borne with.

    Args:
        request_seconds: Longest one request may take.
        attempts: How often one is made before it is given up.
        first_delay: Seconds before the second attempt; doubled before each further one.
        longest_delay: More seconds than this are not waited, whatever the server asks for.
    """

    request_seconds: float = 10.0
    attempts: int = 5
    first_delay: float = 0.25
    longest_delay: float = 8.0


class ClusterSilent(SandboxUnavailable):
    """The API server did not say what became of a program; it may run, or have run."""


class Conflict(Exception):
    """An object of that name is there already."""


class WatchExpired(Exception):
    """The server no longer knows what a watch was to start from: list again."""


class ClusterApi:
    """The few requests that a sandbox makes, in one namespace.

    Objects are plain dictionaries: the client's models take 140 MB of memory, and a second to load.

    Args:
        client: Knows address and credentials.
        namespace: The only one asked about.
        patience: How long to bear with the server.
    """

    def __init__(self, client: ApiClient, namespace: str, patience: Patience | None = None) -> None:
        self._client = client
        self._namespace = namespace
        self._patience = patience or Patience()

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object and return it as the server has it.

        Raises:
            Conflict: One of that name exists, perhaps because an earlier attempt was heard after all.
            SandboxUnavailable: It could not be created.
        """
        path = self._path(manifest["apiVersion"], _PLURALS[manifest["kind"]])
        created = await self._ask("POST", path, body=manifest)
        if created is None:
            raise SandboxRefused(
                f"there is no namespace {self._namespace} (PRISM_SANDBOX_NAMESPACE) in the cluster, or no {path}"
            )
        return created

    async def read(self, version: str, kind: str, name: str) -> Manifest | None:
        """Return an object, or nothing when there is none.

        Raises:
            SandboxUnavailable: It could not be read.
        """
        return await self._ask("GET", f"{self._path(version, kind)}/{name}")

    async def find(self, version: str, kind: str, **selectors: str) -> tuple[list[Manifest], str]:
        """Return the objects that selectors choose, and from where a watch goes on.

        Raises:
            SandboxUnavailable: They could not be listed.
        """
        found = await self._ask("GET", self._path(version, kind), query=list(selectors.items()))
        listed = found or {}
        return listed.get("items") or [], (listed.get("metadata") or {}).get("resourceVersion", "")

    async def annotate(self, version: str, kind: str, name: str, annotations: dict[str, str]) -> Manifest | None:
        """Set annotations of an object and return it, or nothing when there is none.

        Raises:
            SandboxUnavailable: They could not be set.
        """
        body = {"metadata": {"annotations": annotations}}
        return await self._ask("PATCH", f"{self._path(version, kind)}/{name}", body=body)

    async def delete(self, version: str, kind: str, name: str, uid: str = "") -> None:
        """Delete an object, and in the background what it owns; one that is gone, or another by that name, is well.

        Raises:
            SandboxUnavailable: It could not be deleted.
        """
        body: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._ask("DELETE", f"{self._path(version, kind)}/{name}", body=body)
        except Conflict:
            return

    async def log(self, pod: str, container: str, limit: int) -> bytes | None:
        """Return the beginning of a container's log, or nothing when the pod is gone.

        Raises:
            SandboxUnavailable: It could not be read.
        """
        query = [("container", container), ("limitBytes", str(limit))]
        return await self._repeat("GET", f"{self._path('v1', 'pods')}/{pod}/log", query, None)

    async def watch(
        self, version: str, kind: str, since: str, seconds: float, **selectors: str
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Yield what happens to objects, as (type, object), until the server or the time ends it.

        A watch that breaks off just ends: whoever watches lists again, and misses nothing.

        Raises:
            WatchExpired: ``since`` is too old.
            SandboxUnavailable: The server refuses it for good.
        """
        asked = max(int(seconds), 1)
        query = [*selectors.items(), ("watch", "true"), ("resourceVersion", since), ("timeoutSeconds", str(asked))]
        limits = aiohttp.ClientTimeout(total=asked + 5, sock_connect=self._patience.request_seconds)
        try:
            response = await self._send("GET", self._path(version, kind), query, None, limits)
            try:
                if response.status > _LAST_GOOD:
                    _refuse(response, await response.read(), "GET")
                while line := await response.response.content.readline():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise WatchExpired(str(event["object"].get("message", "")))
                    yield event["type"], event["object"]
            finally:
                response.response.close()
        except (aiohttp.ClientError, TimeoutError, ValueError, _Transient):
            await asyncio.sleep(self._patience.first_delay)

    async def _ask(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: Manifest | None = None
    ) -> Manifest | None:
        answer = await self._repeat(method, path, query or [], body)
        if answer is None:
            return None
        try:
            read: Manifest = json.loads(answer)
        except ValueError as fault:
            raise ClusterSilent(f"{self._client.configuration.host} does not answer like Kubernetes") from fault
        return read

    async def _repeat(
        self, method: str, path: str, query: list[tuple[str, str]], body: Manifest | None
    ) -> bytes | None:
        """Make a request, again where that may help, and return its answer, or nothing for 404.

        Names are chosen here, so that a second attempt to create something cannot make two.
        """
        patience, delay = self._patience, self._patience.first_delay
        limits = aiohttp.ClientTimeout(total=patience.request_seconds)
        said = ""
        for attempt in range(patience.attempts):
            if attempt:
                await asyncio.sleep(min(delay, patience.longest_delay))
                delay *= 2
            try:
                response = await self._send(method, path, query, body, limits)
                content = await response.read()
                if response.status == 404:  # noqa: PLR2004 -- "not found" needs no name
                    return None
                if response.status > _LAST_GOOD:
                    _refuse(response, content, method, quiet=_is_secret(body))
                return bytes(content)
            except _Transient as fault:
                said, delay = fault.said, max(delay, fault.delay)
            except TimeoutError:
                said = f"no answer within {patience.request_seconds:g} s"
            except aiohttp.ClientError as fault:
                said = str(fault) or type(fault).__name__
        raise ClusterSilent(
            f"Kubernetes at {self._client.configuration.host} does not answer, {patience.attempts} times: {said}"
        )

    async def _send(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        body: Manifest | None,
        limits: aiohttp.ClientTimeout,
    ) -> RESTResponse:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": "application/json, */*", "Content-Type": kind}
        serialised = await self._client.param_serialize(
            method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        method, url, headers, content, _ = serialised
        return await self._client.call_api(method, url, headers, content, _request_timeout=limits)

    def _path(self, version: str, kind: str) -> str:
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        return f"{root}/namespaces/{self._namespace}/{kind}"


class _Transient(Exception):
    """The server could not do it just now, and may have said when it can."""

    def __init__(self, said: str, delay: float) -> None:
        super().__init__(said)
        self.said = said
        self.delay = delay


def _refuse(response: RESTResponse, content: bytes, method: str, *, quiet: bool = False) -> None:
    """Raise what an error means; where the request held secrets, what it says of its content is left out."""
    status = response.status
    try:
        told = json.loads(content)
    except ValueError:
        told = {}
    facts = told if isinstance(told, dict) else {}
    reason = str(facts.get("reason") or f"status {status}")
    message = str(facts.get("message") or reason)[:500]
    if status in _TRANSIENT:
        raise _Transient(f"{status} {reason if quiet else message}", _asked_delay(response.headers.get("Retry-After")))
    if status == _GONE:
        raise WatchExpired(message)
    if status == 409:  # noqa: PLR2004 -- told apart once
        raise Conflict(message)
    if status == 401:  # noqa: PLR2004 -- told apart once
        raise SandboxRefused("Kubernetes does not know who asks (401): the credentials are wrong or have run out")
    if status == 403:  # noqa: PLR2004 -- told apart once
        raise refusal(message, status=status)
    said = reason if quiet else message
    raise SandboxRefused(f"Kubernetes does not take the sandbox's {method} request ({status}): {said}", status=status)


def _is_secret(body: Manifest | None) -> bool:
    return bool(body) and (body or {}).get("kind") == "Secret"


def _asked_delay(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0


@asynccontextmanager
async def open_client(kubeconfig: Path | None) -> AsyncIterator[ApiClient]:
    """Open a client with the credentials of a file, or with those that Kubernetes gives to each pod.

    Raises:
        InvalidSandbox: There are none.
    """
    configuration: Any = Configuration()
    try:
        if kubeconfig is not None:
            await config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        else:
            config.load_incluster_config(configuration)
    except (config.ConfigException, OSError, yaml.YAMLError) as fault:
        where = f"PRISM_SANDBOX_KUBECONFIG={kubeconfig}" if kubeconfig else "this process is in no pod of a cluster"
        raise InvalidSandbox(f"no way into a Kubernetes cluster: {where}: {fault}") from fault
    client = ApiClient(configuration)
    try:
        yield client
    finally:
        await client.close()
