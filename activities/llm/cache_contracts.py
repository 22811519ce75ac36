"""What the cache of answers shares among gateways, and what it tells of itself."""

from enum import StrEnum
from typing import Protocol

from pydantic import NonNegativeFloat, NonNegativeInt

from activities.llm.contracts import ModelAnswer
from temporal.contract import Contract


class CacheLevel(StrEnum):
    """Where an answer of before was found."""

    NEAR = "near"
    SHARED = "shared"
    JOINED = "joined"
    SEMANTIC = "semantic"


class SharedAnswersUnavailable(Exception):
    """What the gateways share cannot be read or written now; models are asked instead."""


class SharedAnswers(Protocol):
    """Answers that all gateways share, and who is asking for one just now. Every fault is the exception above."""

    async def get(self, key: str) -> ModelAnswer | None:
        """Return an answer that is not too old."""
        ...

    async def put(self, key: str, answer: ModelAnswer, seconds: float) -> None:
        """Keep an answer for so long."""
        ...

    async def lease(self, key: str, holder: str, seconds: float) -> bool:
        """Tell whether a gateway may ask: nobody else does. The holder's own lease is renewed."""
        ...

    async def release(self, key: str, holder: str) -> None:
        """Let others ask."""
        ...

    async def clear(self) -> None:
        """Forget all answers."""
        ...


class CacheCounts(Contract):
    """What a gateway's cache did since it started.

    Args:
        near: Calls answered from this process.
        shared: From what all gateways share.
        joined: By the call of another row that was under way.
        missed: Calls for which a model was asked.
        faults: How often what is shared could not be read or written.
        saved_usd: What the calls that were answered so would have cost.
        semantic: Calls answered by what a similar one was answered.
        embedding_faults: How often no vector could be had, or kept ones could not be read or written.
        embeddings_usd: What vectors cost, as far as the bundled price table knows; no row is charged for it.
    """

    near: NonNegativeInt = 0
    shared: NonNegativeInt = 0
    joined: NonNegativeInt = 0
    missed: NonNegativeInt = 0
    faults: NonNegativeInt = 0
    saved_usd: NonNegativeFloat = 0.0
    semantic: NonNegativeInt = 0
    embedding_faults: NonNegativeInt = 0
    embeddings_usd: NonNegativeFloat = 0.0
