"""What the optional cache of similar requests needs: vectors of texts, and where those of answered ones are kept."""

from collections.abc import Sequence
from typing import Protocol

from activities.artifacts.contracts import Digest
from temporal.contract import Contract, StepRef


class EmbeddingsUnavailable(Exception):
    """No vector came of a text; a model is asked instead."""


class SimilarUnavailable(Exception):
    """Kept vectors cannot be read or written now; a model is asked instead."""


class Embedding(Contract):
    """What a deployment makes of a text.

    Args:
        vector: Of length 1.
        cost_usd: By the bundled price table; 0 where it knows none.
    """

    vector: tuple[float, ...]
    cost_usd: float = 0.0


class Embeddings(Protocol):
    """A deployment that gives vectors."""

    @property
    def name(self) -> str:
        """What it is called: vectors of different ones cannot be compared."""
        ...

    @property
    def local(self) -> bool:
        """Whether nothing that it is given leaves the house."""
        ...

    async def of(self, text: str) -> Embedding:
        """Return the vector of a text.

        Raises:
            EmbeddingsUnavailable: There is none, whatever the reason.
        """
        ...


class AnsweredPrompt(Contract):
    """A prompt whose answer is kept.

    Args:
        scope: Digest of all that a request must have alike with this one, besides the words of its prompt.
        prompt: Digest of the prompt.
        marks: Its numbers and negations, in order; a prompt that has others is never similar.
        vector: Numbers of four bytes each, little-endian.
        answer: Key under which the answer is kept.
        run: Whose it was, with ``row``.
    """

    scope: str
    prompt: Digest
    marks: str
    vector: bytes
    answer: str
    run: str
    row: str


class AnsweredPrompts(Protocol):
    """Prompts whose answers are kept. Every fault is ``SimilarUnavailable``."""

    async def newest(self, scope: str, marks: str, most: int) -> Sequence[AnsweredPrompt]:
        """Return those of a scope that have these marks and are not too old, newest first."""
        ...

    async def put(self, prompt: AnsweredPrompt, seconds: float) -> None:
        """Keep one for so long."""
        ...

    async def clear(self) -> None:
        """Forget all."""
        ...


class Asked(Contract):
    """A request as it is compared.

    Args:
        step: Who asks.
    """

    step: StepRef
    scope: str
    prompt: Digest
    marks: str
    vector: tuple[float, ...]


class Near(Contract):
    """A prompt that is similar enough.

    Args:
        similarity: Cosine of the angle between the two vectors.
    """

    answer: str
    run: str
    row: str
    similarity: float
