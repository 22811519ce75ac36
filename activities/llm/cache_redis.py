"""Answers that gateways share by a Redis or Valkey server."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from activities.llm.cache_contracts import SharedAnswersUnavailable
from activities.llm.contracts import InvalidCache, ModelAnswer

Result = TypeVar("Result")

_ANSWERS: Final = "prism:answer:"
_LEASES: Final = "prism:answering:"
_CIRCUIT: Final = "redis"
# A model takes longer than this, but a call must not wait for a cache. Nothing is sent twice: asking a model is the
# other way. Three faults in a row, and the server is left alone for ten seconds.
_TIMEOUT_SECONDS: Final = 0.5
_FAULTS: Final = 3
_RECOVERY_SECONDS: Final = 10.0
_CLEARED_AT_ONCE: Final = 500

_LEASE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisAnswers:
    """Keeps answers in a Redis or Valkey server, which forgets them by itself.

    Args:
        client: Not connected yet; see ``redis_client``.
    """

    def __init__(self, client: Redis) -> None:
        # What its commands return is one of two kinds, by how the client was made; here all are awaited.
        self._client: Any = client
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=_FAULTS, default_ttl=_RECOVERY_SECONDS, exclude=[asyncio.CancelledError]
        )

    async def get(self, key: str) -> ModelAnswer | None:
        """Return an answer that is not too old."""
        found = await self._done(self._client.get(_ANSWERS + key))
        try:
            return None if found is None else ModelAnswer.model_validate_json(found)
        except ValidationError as error:
            raise SharedAnswersUnavailable(f"{_ANSWERS}{key} holds no answer") from error

    async def put(self, key: str, answer: ModelAnswer, seconds: float) -> None:
        """Keep an answer for so long."""
        await self._done(self._client.set(_ANSWERS + key, answer.model_dump_json(), px=max(round(seconds * 1000), 1)))

    async def lease(self, key: str, holder: str, seconds: float) -> bool:
        """Tell whether a gateway may ask; the holder's own lease is renewed."""
        return bool(await self._done(self._client.eval(_LEASE, 1, _LEASES + key, holder, round(seconds * 1000))))

    async def release(self, key: str, holder: str) -> None:
        """Let others ask."""
        await self._done(self._client.eval(_RELEASE, 1, _LEASES + key, holder))

    async def clear(self) -> None:
        """Forget all answers of Prism; what others keep in the server stays."""
        cursor: Any = b"0"
        while cursor:
            cursor, keys = await self._done(self._client.scan(cursor, match=f"{_ANSWERS}*", count=_CLEARED_AT_ONCE))
            if keys:
                await self._done(self._client.unlink(*keys))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _done(self, command: Awaitable[Result]) -> Result:
        try:
            async with await self._breakers.get_breaker(_CIRCUIT):
                return await command
        except OpenedState as error:
            command.close()  # type: ignore[attr-defined]
            raise SharedAnswersUnavailable(
                "the cache server failed repeatedly and is left alone for a while"
            ) from error
        except (RedisError, OSError, TimeoutError) as error:
            raise SharedAnswersUnavailable(f"the cache server did not answer: {type(error).__name__}") from error


def redis_answers(url: str) -> RedisAnswers:
    """Return answers kept in the server of a URL; nothing is connected yet.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py reads it; may hold user and password.

    Raises:
        InvalidCache: The URL cannot be used.
    """
    try:
        client = Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=None,
            max_connections=64,
        )
    except (ValueError, RedisError) as error:
        raise InvalidCache(
            "PRISM_CACHE_URL is the address of a Redis or Valkey server: redis://host[:port][/n]"
        ) from error
    return RedisAnswers(client)
