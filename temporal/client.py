"""The one place that builds a Temporal client."""

import dataclasses
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from temporal.address import TemporalAddress
from temporal.codec import encrypted_converter
from temporal.errors import InvalidSettings, PrismError
from temporal.failures import RedactedFailures
from temporal.key_ring import KeyRing
from temporal.names import ErrorCode, SearchAttribute

PLAIN: Final = dataclasses.replace(pydantic_data_converter, failure_converter_class=RedactedFailures)


class TemporalUnavailable(PrismError):
    """The Temporal server could not be reached."""

    code = ErrorCode.TEMPORAL_UNAVAILABLE
    retryable = True


class TlsFileUnusable(InvalidSettings):
    """A certificate or key for the connection to Temporal cannot be read."""


async def connect(address: TemporalAddress, *, lazy: bool = False) -> Client:
    """Return a client that speaks Prism's payloads.

    Args:
        address: The server.
        lazy: Connect at the first call instead of now.

    Raises:
        TemporalUnavailable: The server does not answer.
        TlsFileUnusable: A certificate or key cannot be read.
        KeyRingUnusable: The file of the encryption keys cannot be used.
    """
    keys = address.encryption_keys
    try:
        return await Client.connect(
            address.target,
            namespace=address.namespace,
            data_converter=encrypted_converter(KeyRing.open(keys), address.namespace) if keys else PLAIN,
            tls=_tls(address),
            api_key=address.api_key.get_secret_value() if address.api_key else None,
            lazy=lazy,
        )
    except RuntimeError as error:
        message = f"no Temporal server answers at {address.target}: {error}"
        raise TemporalUnavailable(message, address=address.target) from error


async def register_search_attributes(client: Client) -> None:
    """Register Prism's search attributes in the client's namespace; those that are there stay."""
    for name in SearchAttribute:
        request = AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={name.value: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD},
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise


def _tls(address: TemporalAddress) -> TLSConfig | bool:
    if not (address.tls or address.api_key or address.client_cert or address.server_ca):
        return False
    return TLSConfig(
        client_cert=_bytes(address.client_cert),
        client_private_key=_bytes(address.client_key),
        server_root_ca_cert=_bytes(address.server_ca),
    )


def _bytes(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        message = (
            f"the TLS file {path} cannot be read: {error.strerror}; PRISM_TEMPORAL_CLIENT_CERT and its like name it"
        )
        raise TlsFileUnusable(message, path=str(path)) from error
