"""The Python client of Prism's HTTP API: ``PrismClient`` and ``AsyncPrismClient``."""

from api.client.asynchronous import AsyncPrismClient
from api.client.errors import PrismApiError
from api.client.synchronous import PrismClient

__all__ = ["AsyncPrismClient", "PrismApiError", "PrismClient"]
