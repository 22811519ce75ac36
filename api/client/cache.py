"""The cache of answers, as ``client.cache``."""

from api.cache_models import CacheView
from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call


class CacheCalls:
    """Shows and clears the cache.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def get(self) -> CacheView:
        """Return how it is set up and what it did."""
        return self._client.send(_GET)

    def clear(self) -> CacheView:
        """Have all answers forgotten."""
        return self._client.send(_CLEAR)


class AsyncCacheCalls:
    """Shows and clears the cache.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def get(self) -> CacheView:
        """Return how it is set up and what it did."""
        return await self._client.send(_GET)

    async def clear(self) -> CacheView:
        """Have all answers forgotten."""
        return await self._client.send(_CLEAR)


_GET: Call[CacheView] = calls.get("/cache", CacheView)
_CLEAR: Call[CacheView] = calls.account("DELETE", "/cache", CacheView)
