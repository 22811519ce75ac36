"""The API's way to the gateway's cache of answers: what it did, and to have it cleared."""

from pathlib import Path
from typing import Final

import httpx
from pydantic import ValidationError

from activities.llm.cache_contracts import CacheCounts
from activities.llm.contracts import ModelUnavailable
from activities.llm.gateway_asking import gateway_on

PATH: Final = "/v1/cache"
# Read for a person who looks, and never repeated: clearing twice is clearing once, by whoever asked.
_ANSWER_WITHIN_SECONDS: Final = 2.0


async def cache_counts(socket: Path) -> CacheCounts:
    """Return what the cache of the gateway on this machine did since it started.

    Raises:
        ModelUnavailable: The gateway does not answer.
    """
    response = await _asked(socket, "GET")
    try:
        return CacheCounts.model_validate_json(response.content)
    except ValidationError as error:
        raise ModelUnavailable("the model gateway does not tell what its cache did") from error


async def clear_cache(socket: Path) -> None:
    """Have the gateway on this machine forget all answers, and what it shares with others.

    Raises:
        ModelUnavailable: The gateway does not answer, or what is shared could not be cleared.
    """
    await _asked(socket, "DELETE")


async def _asked(socket: Path, method: str) -> httpx.Response:
    try:
        async with gateway_on(socket, _ANSWER_WITHIN_SECONDS) as client:
            response = await client.request(method, PATH)
            response.raise_for_status()
            return response
    except httpx.HTTPStatusError as error:
        raise ModelUnavailable("the cache could not be cleared: what gateways share does not answer") from error
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"the model gateway does not answer: {type(error).__name__}") from error
