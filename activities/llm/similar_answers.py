"""Answers of requests that say about the same: found by vectors of prompts, within narrow bounds.

It is off unless an installation names a deployment of embeddings, and serves rows only that ask for it. Whatever
fails here is a miss: a model is asked, as if there were no such cache.
"""

import asyncio
import json
import logging
import re
import struct
from collections.abc import Sequence
from operator import mul
from typing import Final

from activities.artifacts.contracts import Texts, digest_of
from activities.llm.contracts import ModelRequest
from activities.llm.similar_contracts import (
    AnsweredPrompt,
    AnsweredPrompts,
    Asked,
    Embeddings,
    EmbeddingsUnavailable,
    Near,
    SimilarUnavailable,
)
from temporal.errors import PrismError

log = logging.getLogger("prism.gateway")

# A vector of 1,536 numbers takes 6 KB: some 12 MB are read and compared for one request, by one thread.
MOST_COMPARED: Final = 2000
# Answers that the cache has lost meanwhile are passed over, up to so many.
MOST_TRIED: Final = 5
# What a call is, and not what a similar one must have alike.
_NOT_ALIKE: Final = {"step", "timeout", "attempts", "cache", "prompt"}
_NEGATION: Final = re.compile(
    r"(?:no|not|never|none|nor|neither|nothing|without|cannot|\w+n['\N{RIGHT SINGLE QUOTATION MARK}]t)\Z"
)
_OPENING, _CLOSING = "([{\"'", ")]}\"'.,;:!?"


class SimilarAnswers:
    """Finds answered prompts that say about the same as a request.

    Args:
        prompts: Where they are kept.
        texts: Where large prompts are.
        embeddings: Gives vectors; ``None`` where the installation names nobody for it, and nothing is similar.
        least: Least cosine similarity that counts.
        seconds: How long an answer serves.
    """

    def __init__(
        self, prompts: AnsweredPrompts, texts: Texts, embeddings: Embeddings | None, least: float, seconds: float
    ) -> None:
        self._prompts = prompts
        self._texts = texts
        self._embeddings = embeddings
        self._least = least
        self._seconds = seconds
        self._faults = 0
        self._usd = 0.0

    @property
    def counts(self) -> dict[str, float]:
        """How often it failed, and what vectors cost so far, by the names of ``CacheCounts``."""
        return {"embedding_faults": self._faults, "embeddings_usd": self._usd}

    async def asked(self, request: ModelRequest, models: Sequence[str]) -> Asked | None:
        """Return a request as it is compared; ``None`` where nothing may be similar to it, or no vector could be had.

        A conversation with tools is not comparable. What may not leave the house is shown to nobody outside.

        Args:
            request: What is asked.
            models: Who is meant to answer.
        """
        embeddings = self._embeddings
        if embeddings is None or request.tools or request.turns or (request.local_only and not embeddings.local):
            return None
        try:
            text = await self._texts.read(request.prompt)
            found = await embeddings.of(text)
        except (PrismError, EmbeddingsUnavailable) as error:
            self._fault(error)
            return None
        self._usd += found.cost_usd
        return Asked(
            step=request.step,
            scope=scope_of(request, models, embeddings.name),
            prompt=request.prompt.digest,
            marks=marks_of(text),
            vector=found.vector,
        )

    async def near(self, asked: Asked) -> Sequence[Near]:
        """Return answered prompts that are similar enough, the most similar first; none where they cannot be read."""
        try:
            known = await self._prompts.newest(asked.scope, asked.marks, MOST_COMPARED)
        except SimilarUnavailable as error:
            self._fault(error)
            return ()
        return await asyncio.to_thread(nearest, asked, known, self._least) if known else ()

    async def keep(self, asked: Asked, answer: str) -> None:
        """Let a prompt's answer serve similar ones.

        Args:
            asked: The request that was answered.
            answer: Key under which the answer is kept.
        """
        kept = AnsweredPrompt(
            scope=asked.scope,
            prompt=asked.prompt,
            marks=asked.marks,
            vector=struct.pack(f"<{len(asked.vector)}f", *asked.vector),
            answer=answer,
            run=asked.step.run,
            row=asked.step.row,
        )
        try:
            await self._prompts.put(kept, self._seconds)
        except SimilarUnavailable as error:
            self._fault(error)

    async def clear(self) -> None:
        """Forget all vectors, also those of a deployment that is named no longer.

        Raises:
            SimilarUnavailable: They could not be forgotten.
        """
        await self._prompts.clear()

    def _fault(self, error: Exception) -> None:
        self._faults += 1
        log.warning("similar requests are not looked for now: %s", error)


def scope_of(request: ModelRequest, models: Sequence[str], embeddings: str) -> str:
    """Return the digest of all that similar requests have alike: everything but the words of the prompt; pure.

    Args:
        request: What is asked; a field that requests get later counts by itself.
        models: Who is meant to answer.
        embeddings: Whose vectors are compared.
    """
    alike = request.model_dump(mode="json", exclude=_NOT_ALIKE)
    told = {**alike, "group": list(models), "embeddings": embeddings}
    return digest_of(json.dumps(told, sort_keys=True).encode())


def marks_of(text: str) -> str:
    """Return the words of a text that vectors hardly tell apart: those with a digit, and English negations; pure."""
    words = (word.lstrip(_OPENING).rstrip(_CLOSING).lower() for word in text.split())
    return " ".join(word for word in words if any(map(str.isdigit, word)) or _NEGATION.match(word))


def nearest(asked: Asked, known: Sequence[AnsweredPrompt], least: float) -> list[Near]:
    """Return known prompts that are at least so similar, the most similar first; pure."""
    found = []
    for one in known:
        if len(one.vector) != 4 * len(asked.vector):
            continue
        similarity = sum(map(mul, asked.vector, struct.unpack(f"<{len(asked.vector)}f", one.vector)))
        if similarity >= least:
            found.append(Near(answer=one.answer, run=one.run, row=one.row, similarity=min(similarity, 1.0)))
    return sorted(found, key=lambda one: -one.similarity)[:MOST_TRIED]
