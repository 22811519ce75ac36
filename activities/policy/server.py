"""Admission by an OPA server that others run and feed with policies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from opa_client.opa_async import AsyncOpaClient
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import SecretStr, TypeAdapter, ValidationError

from activities.artifacts.contracts import Digest
from activities.policy.contracts import CATALOG_ADMISSION, InvalidPolicyServer, PolicyChanged, PolicyUnavailable
from activities.policy.engine import Meaning, Meant, PolicyEngine
from activities.policy.folder import admission_only, read_policies
from activities.policy.versions import PolicyVersions

_CIRCUIT: Final = "opa"
_PORTS: Final = {"http": 80, "https": 443}
_ADDRESS: Final = "PRISM_OPA_URL is the address of a policy server: http[s]://host[:port]"
_DIGEST: Final[TypeAdapter[str]] = TypeAdapter(Digest)


@dataclass(frozen=True)
class KeptPolicies:
    """What this installation has of a server's policies.

    Args:
        folder: The policies that people make bundles of here.
        versions: Versions that runs keep to.
    """

    folder: Path
    versions: PolicyVersions

    async def keep(self, digest: Digest) -> None:
        """Keep the version that the server has.

        Raises:
            PolicyChanged: It is not here: a run could not keep to it once the server has another one.
        """
        here = await asyncio.to_thread(read_policies, self.folder, admission_only)
        if here.digest == digest:
            await self.versions.keep(here)
        elif not await self.versions.has(digest):
            raise PolicyChanged(
                f"no run can keep to policy {digest}, which the policy server has: its files are not here. "
                "Put what the bundle was made of into PRISM_POLICIES"
            )


@dataclass(frozen=True)
class PolicyServer:
    """Where an OPA server is, and how long Prism bears with it.

    Args:
        url: ``http[s]://host[:port]``.
        token: Bearer token it asks for.
        timeout: Longest one question may take, in seconds.
        failures: After how many in a row it is left alone.
        recovery: For how long it is left alone, in seconds.
    """

    url: str
    token: SecretStr | None = None
    timeout: float = 2.0
    failures: int = 5
    recovery: float = 10.0


class OpaServerPolicy(PolicyEngine):
    """Asks an OPA server about each catalog and row; what it does not answer is not admitted.

    The server names the policy that decided: the revision of its bundle is a digest, as ``prism policy bundle`` writes.
    A question is asked once; asking again is the workflow's business.

    Args:
        client: Connected.
        server: How long to bear with it.
        kept: Decides for runs that keep to a version which the server has no more; without it they are refused.
    """

    def __init__(self, client: AsyncOpaClient, server: PolicyServer, kept: KeptPolicies | None = None) -> None:
        self._client = client
        self._kept = kept
        self._timeout = server.timeout
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=server.failures,
            default_ttl=server.recovery,
            # Who asked went away: that says nothing about the server.
            exclude=[asyncio.CancelledError],
        )

    async def decided(
        self, entry: str, document: dict[str, Any], meaning: Meaning[Meant], pinned: Digest | None = None
    ) -> Meant:
        """Return what a rule of the server's bundle says of a document; see :class:`PolicyEngine`.

        Raises:
            PolicyUnavailable: The server is down, slow, failing, answers nonsense, or was so just now; or its bundle
                lacks the rule.
            PolicyChanged: It has another version than the pinned one, which nobody kept here.
        """
        try:
            # An answer without meaning counts as a failure too.
            async with await self._breakers.get_breaker(_CIRCUIT):
                answer = await self._ask(entry, document)
                policy = _policy_of(answer)
                if pinned is None or policy == pinned:
                    return meaning(answer.get("result"), policy, str(answer.get("decision_id") or ""))
        except OpenedState as error:
            raise PolicyUnavailable("the policy server failed repeatedly and is left alone for a while") from error
        if self._kept is None:
            raise PolicyChanged(f"the run keeps to policy {pinned}, and the policy server has {policy} now")
        before = await self._kept.versions.bundle(pinned)
        return meaning(before.evaluate(entry, document), pinned, "")

    async def in_force(self) -> Digest:
        """Return the digest of the bundle that the server has."""
        return await self.decided(CATALOG_ADMISSION, {}, lambda _value, policy, _id: policy)

    async def keep(self) -> Digest:
        """Keep the version that the server has, and return its digest; it hands out none, so it has to be here.

        Raises:
            PolicyChanged: It is not here.
        """
        digest = await self.in_force()
        if self._kept is not None:
            await self._kept.keep(digest)
        return digest

    async def _ask(self, entry: str, document: dict[str, Any]) -> Mapping[str, Any]:
        package, _, rule = entry.rpartition(".")
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.query_rule(document, package, rule, {"provenance": "true"})
        except TimeoutError as error:
            raise PolicyUnavailable(f"the policy server gave no answer within {self._timeout:g} s") from error
        except aiohttp.ClientResponseError as error:
            raise PolicyUnavailable(f"the policy server answered {error.status} {error.message}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise PolicyUnavailable(f"the policy server cannot be reached: {error}") from error
        except ValueError as error:
            raise PolicyUnavailable("the policy server's answer is no JSON") from error
        if not isinstance(answer, dict):
            raise PolicyUnavailable("the policy server's answer is no JSON object")
        return answer


@asynccontextmanager
async def open_opa_server(server: PolicyServer, kept: KeptPolicies | None = None) -> AsyncIterator[OpaServerPolicy]:
    """Yield the policy of an OPA server; nothing is asked yet.

    Args:
        server: Where it is.
        kept: What this installation has of its policies.

    Raises:
        InvalidPolicyServer: Its address cannot be used.
    """
    try:
        parts = urlsplit(server.url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise InvalidPolicyServer(_ADDRESS) from error
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in _PORTS or not parts.hostname or not plain:
        raise InvalidPolicyServer(_ADDRESS)
    client = AsyncOpaClient(
        host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
        port=port,
        ssl=parts.scheme == "https",
        token=server.token.get_secret_value() if server.token else None,
        retries=0,
        timeout=server.timeout,
    )
    async with client:
        yield OpaServerPolicy(client, server, kept)


def _policy_of(answer: Mapping[str, Any]) -> str:
    provenance = answer.get("provenance")
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    revisions = [bundle.get("revision") for bundle in bundles.values()] if isinstance(bundles, dict) else []
    try:
        (revision,) = revisions
        return _DIGEST.validate_python(revision)
    except (ValueError, ValidationError) as error:
        raise PolicyUnavailable(
            "the policy server does not say which policy decided: give it one bundle, made by 'prism policy bundle'"
        ) from error
