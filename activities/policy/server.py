"""Admission by an OPA server that others run and feed with policies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
from opa_client.opa_async import AsyncOpaClient
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import SecretStr, TypeAdapter, ValidationError

from activities.artifacts.contracts import Digest
from activities.policy.contracts import (
    ADMISSION,
    CATALOG_ADMISSION,
    CatalogDecision,
    Decision,
    InvalidPolicyServer,
    PolicyUnavailable,
    admission_input,
    catalog_decision_of,
    catalog_input,
    decision_of,
)
from activities.policy.release_contracts import (
    RELEASE,
    ReleaseDecision,
    ReleaseRequest,
    release_decision_of,
    release_input,
)
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals

Meant = TypeVar("Meant")

_CIRCUIT: Final = "opa"
_PORTS: Final = {"http": 80, "https": 443}
_ADDRESS: Final = "PRISM_OPA_URL is the address of a policy server: http[s]://host[:port]"
_DIGEST: Final[TypeAdapter[str]] = TypeAdapter(Digest)


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


class OpaServerPolicy:
    """Asks an OPA server about each catalog and row; what it does not answer is not admitted.

    The server names the policy that decided: the revision of its bundle is a digest, as ``prism policy bundle`` writes.
    A question is asked once; asking again is the workflow's business.

    Args:
        client: Connected.
        server: How long to bear with it.
    """

    def __init__(self, client: AsyncOpaClient, server: PolicyServer) -> None:
        self._client = client
        self._timeout = server.timeout
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=server.failures,
            default_ttl=server.recovery,
            exclude=[asyncio.CancelledError],  # who asked went away: that says nothing about the server
        )

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row; fails closed.

        Raises:
            PolicyUnavailable: The server is down, slow, failing, answers nonsense, or was so just now.
        """
        return await self._decided(ADMISSION, admission_input(row, submitter), decision_of)

    async def admit_catalog(self, totals: CatalogTotals, submitter: str) -> CatalogDecision:
        """Decide on a catalog as a whole; fails closed.

        Raises:
            PolicyUnavailable: As for a row, or its bundle is of before catalogs were decided on.
        """
        return await self._decided(CATALOG_ADMISSION, catalog_input(totals, submitter), catalog_decision_of)

    async def release(self, request: ReleaseRequest, text: str) -> ReleaseDecision:
        """Decide on an output; fails closed.

        Raises:
            PolicyUnavailable: As for a row.
        """
        return await self._decided(RELEASE, release_input(request, text), release_decision_of)

    async def _decided(self, entry: str, document: dict[str, Any], meaning: Callable[[Any, str, str], Meant]) -> Meant:
        try:
            # An answer without meaning counts as a failure too.
            async with await self._breakers.get_breaker(_CIRCUIT):
                answer = await self._ask(entry, document)
                return meaning(answer.get("result"), _policy_of(answer), str(answer.get("decision_id") or ""))
        except OpenedState as error:
            raise PolicyUnavailable("the policy server failed repeatedly and is left alone for a while") from error

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
async def open_opa_server(server: PolicyServer) -> AsyncIterator[OpaServerPolicy]:
    """Yield the policy of an OPA server; nothing is asked yet.

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
        yield OpaServerPolicy(client, server)


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
