"""Bodies of HTTP requests and answers about feedback."""

from pydantic import BaseModel, Field

from activities.artifacts.contracts import Digest
from activities.feedback.contracts import Dataset, Dimension, Rating, Score, Vote
from api.models import Body

MOST_CHARS = 1_000_000


class RateBody(Body):
    """A vote on a row's output.

    Args:
        rating: ``good`` or ``bad``.
        reason: Why.
        output: Digest of the output that was looked at: refused when the row has another one by now.
        better: What should stand there instead.
        by: Who votes; needed nowhere, and never somebody else.
    """

    rating: Rating
    reason: str = Field(default="", max_length=10_000)
    output: Digest | None = None
    better: str | None = Field(default=None, min_length=1, max_length=MOST_CHARS)
    by: str = Field(default="", max_length=200)


class RowFeedback(BaseModel):
    """What people think of a row's outputs, the newest vote first.

    Args:
        output: The row's present output; votes on others are of earlier rounds or executions.
        good: Votes for the present output.
        bad: Votes against it.
    """

    output: str | None = None
    good: int = 0
    bad: int = 0
    votes: list[Vote]


class Scores(BaseModel):
    """How good agents, models, prompt versions or boards are, the surest good first."""

    by: Dimension
    scores: list[Score]


class Datasets(BaseModel):
    """Data sets of preference pairs, the newest first.

    Args:
        wanted: How many new pairs make another; 0 means that none is made by itself.
    """

    datasets: list[Dataset]
    wanted: int
