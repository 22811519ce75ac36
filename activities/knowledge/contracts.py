"""Looking up passages: what is asked of which collection, and what fits."""

from typing import Protocol

from pydantic import PositiveInt

from activities.prompts.contracts import NamedText
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode


class UnknownCollection(PrismError):
    """There is no such collection of documents."""

    code = ErrorCode.UNKNOWN_COLLECTION


class KnowledgeUnavailable(PrismError):
    """The index of the documents cannot be read now."""

    code = ErrorCode.KNOWLEDGE_UNAVAILABLE
    retryable = True


class RetrieveRequest(Contract):
    """What a row wants to know.

    Args:
        collections: Where it is looked up.
        query: Words; any of them may fit.
        limit: Most passages.
    """

    step: StepRef
    collections: tuple[str, ...]
    query: str
    limit: PositiveInt = 6


class Passage(Contract):
    """A part of a document.

    Args:
        source: Collection, file and line, such as ``handbook/leave.md:12``.
    """

    source: str
    text: str


class Retrieved(Contract):
    """What was found, the best first.

    Args:
        passages: Each by its source.
    """

    passages: tuple[NamedText, ...] = ()


class Library(Protocol):
    """Finds passages of documents."""

    def collections(self) -> tuple[str, ...]:
        """Return the names of all collections."""
        ...

    def find(self, collections: tuple[str, ...], query: str, limit: int) -> list[Passage]:
        """Return the passages that fit a query best, the best first, the same for the same documents.

        Raises:
            UnknownCollection: One is not there.
            KnowledgeUnavailable: The documents cannot be read now.
        """
        ...
