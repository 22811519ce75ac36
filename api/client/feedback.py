"""Feedback, as ``client.feedback``."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

from activities.feedback.contracts import Dimension, Rating, Vote
from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call
from api.feedback_models import Datasets, RowFeedback, Scores


class FeedbackCalls:
    """Rates outputs, reads scores and preference pairs.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def rate(self, run: str, row: str, rating: Rating | str, **given: Any) -> Vote:  # noqa: ANN401 -- JSON values
        """Say what you think of a row's output; your newest vote on it counts.

        Args:
            run: The run.
            row: The row.
            rating: ``good`` or ``bad``.
            given: ``reason``, ``better`` (what should stand there instead), ``output`` (digest of the one you looked
                at), ``by`` (leave it out where you are logged in).
        """
        return self._client.send(_rate(run, row, rating, given))

    def of(self, run: str, row: str) -> RowFeedback:
        """Return what people think of a row's outputs."""
        return self._client.send(_of(run, row))

    def scores(self, by: Dimension | str = Dimension.MODEL, days: int | None = None) -> Scores:
        """Return how good agents, models, prompt versions or boards are."""
        return self._client.send(_scores(by, days))

    def datasets(self) -> Datasets:
        """Return which data sets of preference pairs were made."""
        return self._client.send(_datasets())

    def pairs(self) -> Iterator[bytes]:
        """Yield the bytes of the preference pairs as JSON lines."""
        return self._client.stream(_pairs())


class AsyncFeedbackCalls:
    """As :class:`FeedbackCalls`, for asyncio.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def rate(self, run: str, row: str, rating: Rating | str, **given: Any) -> Vote:  # noqa: ANN401 -- JSON values
        """Say what you think of a row's output; your newest vote on it counts."""
        return await self._client.send(_rate(run, row, rating, given))

    async def of(self, run: str, row: str) -> RowFeedback:
        """Return what people think of a row's outputs."""
        return await self._client.send(_of(run, row))

    async def scores(self, by: Dimension | str = Dimension.MODEL, days: int | None = None) -> Scores:
        """Return how good agents, models, prompt versions or boards are."""
        return await self._client.send(_scores(by, days))

    async def datasets(self) -> Datasets:
        """Return which data sets of preference pairs were made."""
        return await self._client.send(_datasets())

    def pairs(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the preference pairs as JSON lines."""
        return self._client.stream(_pairs())


def _rate(run: str, row: str, rating: Rating | str, given: dict[str, Any]) -> Call[Vote]:
    body = {"rating": Rating(rating).value} | given
    return calls.account("POST", f"/runs/{calls.part(run)}/rows/{quote(row, safe='/')}/rate", Vote, body)


def _of(run: str, row: str) -> Call[RowFeedback]:
    return calls.get(f"/runs/{calls.part(run)}/feedback/{quote(row, safe='/')}", RowFeedback)


def _scores(by: Dimension | str, days: int | None) -> Call[Scores]:
    return calls.get("/feedback/scores", Scores, by=Dimension(by).value, days=days)


def _datasets() -> Call[Datasets]:
    return calls.get("/feedback/datasets", Datasets)


def _pairs() -> Call[bytes]:
    return Call("GET", f"{calls.PREFIX}/feedback/pairs", lambda response: response.content)
