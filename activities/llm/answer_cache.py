"""Answers that serve again: the same call of another row is answered without asking a model.

Two levels: this process, then what all gateways share. Calls that are alike and under way at the same time are one
call, here and in other gateways. What is shared may fail at any time: then models are asked, and nothing else changes.
"""

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cachetools import TTLCache

from activities.artifacts.contracts import ArtifactNotFound, Texts, digest_of
from activities.llm.cache_contracts import CacheCounts, CacheLevel, SharedAnswers, SharedAnswersUnavailable
from activities.llm.contracts import ModelAnswer, ModelRefused, ModelRequest, Similar
from activities.llm.similar_answers import SimilarAnswers
from activities.llm.similar_contracts import Asked, SimilarUnavailable
from catalogs.row import Cache
from temporal.errors import PrismError

log = logging.getLogger("prism.gateway")

Ask = Callable[[], Awaitable[ModelAnswer]]

# What a call is, and not what its answer depends on.
_NOT_ASKED: Final = {"step", "timeout", "attempts", "cache", "kin"}
# An answer that was cut short, or that a provider would not give, is nothing to hand on later.
_CUT: Final = frozenset({"length", "content_filter"})
# This process forgets soon: another one may have been told to.
NEAR_SECONDS: Final = 300.0
NEAR_BYTES: Final = 64 * 1024 * 1024
# A gateway that died holds up others for so long; one that lives says so three times in it.
LEASE_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.1


@dataclass
class _Flight:
    """A call under way that others wait for; what a similar one was answered is only for those who take it."""

    landed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: ModelAnswer | None = None
    similar: ModelAnswer | None = None
    refused: ModelRefused | None = None


class AnswerCache:
    """Answers calls from earlier answers where they may be.

    Args:
        shared: What all gateways share.
        texts: Where large answers are kept.
        default: What calls do that leave it to the installation.
        seconds: How long an answer serves.
        similar: Finds answers of similar calls, for those that take them.
    """

    def __init__(
        self,
        shared: SharedAnswers,
        texts: Texts,
        default: Cache,
        seconds: float,
        similar: SimilarAnswers,
    ) -> None:
        self._shared = shared
        self._texts = texts
        self._default = default
        self._seconds = seconds
        self._similar = similar
        self._near: TTLCache[str, ModelAnswer] = TTLCache(
            NEAR_BYTES, min(NEAR_SECONDS, seconds), time.monotonic, getsizeof=lambda one: len(one.model_dump_json())
        )
        self._flights: dict[str, _Flight] = {}
        self._holder = uuid.uuid4().hex
        self._counts = CacheCounts()

    @property
    def counts(self) -> CacheCounts:
        """What it did so far."""
        return self._counts.model_copy(update=self._similar.counts)

    async def answered(self, request: ModelRequest, models: Sequence[str], ask: Ask) -> ModelAnswer:
        """Return an earlier answer, or ask.

        Args:
            request: What is asked.
            models: Who is meant to answer; where others are, earlier answers count no longer. What one that stood in
                for them says is not kept.
            ask: Asks a model.

        Raises:
            PrismError: As asking does.
        """
        mode = request.cache or self._default
        if mode is Cache.BYPASS:
            return await ask()
        key = cache_key(request, models)
        if mode is Cache.REFRESH:
            answer = await ask()
            await self._keep(key, request, models, answer)
            return answer
        # As long as the call itself may take: whoever has more patience holds up nobody who has less.
        until = asyncio.get_running_loop().time() + request.timeout
        while (flight := self._flights.get(key)) is not None:
            try:
                async with asyncio.timeout_at(until):
                    await flight.landed.wait()
            except TimeoutError:
                self._count(missed=1)
                return await ask()
            if flight.refused is not None:
                raise ModelRefused(flight.refused.message, **flight.refused.details)
            if flight.answer is not None:
                return self._hit(CacheLevel.JOINED, flight.answer)
            if flight.similar is not None and mode is Cache.SEMANTIC:
                self._count(saved_usd=flight.similar.saved_usd, semantic=1)
                return flight.similar
        flight = self._flights[key] = _Flight()
        try:
            answer = await self._first(key, request, models, until, ask, flight)
        except ModelRefused as error:
            flight.refused = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        return answer

    async def clear(self) -> None:
        """Forget all answers, also what is shared.

        Raises:
            SharedAnswersUnavailable: What is shared could not be cleared; this process has forgotten all the same.
        """
        self._near.clear()
        await self._shared.clear()
        try:
            await self._similar.clear()
        except SimilarUnavailable as error:
            raise SharedAnswersUnavailable(str(error)) from error

    async def _first(
        self, key: str, request: ModelRequest, models: Sequence[str], until: float, ask: Ask, flight: _Flight
    ) -> ModelAnswer:
        """Return the answer as this call has it, and leave it in the flight as others may have it."""
        if (known := self._near.get(key)) is not None and await self._is_there(known):
            flight.answer = known
            return self._hit(CacheLevel.NEAR, known)
        if (known := await self._look(key)) is not None:
            self._near_put(key, known)
            flight.answer = known
            return self._hit(CacheLevel.SHARED, known)
        async with self._leased(key, until):
            # Whoever asked meanwhile, elsewhere, has left an answer.
            if (known := await self._look(key)) is not None:
                flight.answer = known
                return self._hit(CacheLevel.SHARED, known)
            asked = await self._similar.asked(request, models) if request.cache is Cache.SEMANTIC else None
            if asked is not None and (similar := await self._of_similar(asked)) is not None:
                flight.similar = similar
                return similar
            self._count(missed=1)
            answer = await ask()
            flight.answer = await self._keep(key, request, models, answer, asked)
            return answer

    async def _of_similar(self, asked: Asked) -> ModelAnswer | None:
        """Return what the most similar call was answered whose answer is still there, marked as that."""
        for one in await self._similar.near(asked):
            if (known := await self._look(one.answer)) is not None:
                similar = Similar(run=one.run, row=one.row, similarity=round(one.similarity, 2))
                return self._hit(CacheLevel.SEMANTIC, known).model_copy(update={"similar": similar})
        return None

    @contextlib.asynccontextmanager
    async def _leased(self, key: str, until: float) -> AsyncIterator[None]:
        """Wait until nobody else asks, or a moment, and say that this call does as long as it does."""
        renewal: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout_at(until):
                while not await self._shared.lease(key, self._holder, LEASE_SECONDS):
                    if await self._shared.get(key) is not None:
                        break
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    renewal = asyncio.create_task(self._renew(key))
        except TimeoutError:
            log.info("another gateway asks for longer than this call may take; it is asked beside it")
        except SharedAnswersUnavailable as error:
            self._fault(error)
        try:
            yield
        finally:
            if renewal is not None:
                renewal.cancel()
                with contextlib.suppress(SharedAnswersUnavailable):
                    await self._shared.release(key, self._holder)

    async def _renew(self, key: str) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with contextlib.suppress(SharedAnswersUnavailable):
                await self._shared.lease(key, self._holder, LEASE_SECONDS)

    async def _look(self, key: str) -> ModelAnswer | None:
        try:
            known = await self._shared.get(key)
        except SharedAnswersUnavailable as error:
            self._fault(error)
            return None
        return known if known is not None and await self._is_there(known) else None

    async def _is_there(self, answer: ModelAnswer) -> bool:
        """Tell whether an answer's text can be read: what is shared outlives an artifact store."""
        try:
            await self._texts.read(answer.output)
        except (ArtifactNotFound, PrismError):
            return False
        return True

    async def _keep(
        self, key: str, request: ModelRequest, models: Sequence[str], answer: ModelAnswer, asked: Asked | None = None
    ) -> ModelAnswer:
        """Keep an answer for others, and return it as they may have it."""
        given = answer.model_copy(
            update={"replayed": False, "cached_from": answer.cached_from or digest_of(request.step.key.encode())}
        )
        # What calls tools is half a conversation, whose other half another row would not have.
        half = answer.finish_reason in _CUT or answer.calls or not answer.output.size
        if half or answer.model not in models:
            return given
        self._near_put(key, given)
        try:
            await self._shared.put(key, given, self._seconds)
        except SharedAnswersUnavailable as error:
            self._fault(error)
        else:
            if asked is not None:
                await self._similar.keep(asked, key)
        return given

    def _near_put(self, key: str, answer: ModelAnswer) -> None:
        with contextlib.suppress(ValueError):  # larger than the whole level
            self._near[key] = answer

    def _hit(self, level: CacheLevel, known: ModelAnswer) -> ModelAnswer:
        """Return an earlier answer as this call has it: nothing was asked, counted in tokens or paid."""
        saved = known.cost_usd + known.saved_usd
        self._count(saved_usd=saved, **{level.value: 1})
        nothing = {"cost_usd": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "latency_ms": 0, "attempt": 1}
        return known.model_copy(update={**nothing, "saved_usd": saved, "cache_level": level.value})

    def _fault(self, error: SharedAnswersUnavailable) -> None:
        self._count(faults=1)
        log.warning("the shared cache of answers is not used now: %s", error)

    def _count(self, **more: float) -> None:
        known = self._counts.model_dump()
        self._counts = CacheCounts(**{name: known[name] + more.get(name, 0) for name in known})


def cache_key(request: ModelRequest, models: Sequence[str]) -> str:
    """Return the digest of all that an answer depends on; whatever field a request gets counts by itself.

    Args:
        request: What is asked.
        models: Who is meant to answer.
    """
    asked = request.model_dump(mode="json", exclude=_NOT_ASKED)
    return digest_of(
        json.dumps({**asked, "prompt": request.prompt.digest, "group": list(models)}, sort_keys=True).encode()
    )
