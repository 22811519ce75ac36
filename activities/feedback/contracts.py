"""Votes on outputs, and the scores and preference pairs that follow from them."""

from enum import StrEnum

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Digest
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode


class NothingToRate(PrismError):
    """The row has no output, or another one than the person looked at."""

    code = ErrorCode.CONFLICT


class Rating(StrEnum):
    """What somebody thinks of an output."""

    GOOD = "good"
    BAD = "bad"


class Origin(StrEnum):
    """How a vote came about: in a review, or because a reader gave it."""

    REVIEW = "review"
    READER = "reader"


class Dimension(StrEnum):
    """What scores are told apart by; the value is a column of the votes."""

    AGENT = "agent"
    MODEL = "model"
    PROMPT = "prompt_version"
    BOARD = "board"


class Given(Contract):
    """A reader's vote as it is given.

    Args:
        by: Who gives it.
        output: The output they looked at; ``None`` takes the row's present one.
        better: What they would have written instead; kept as an artifact.
    """

    run: str
    row: str
    by: str
    rating: Rating
    reason: str = ""
    output: Digest | None = None
    better: Digest | None = None


class Vote(Contract):
    """One person's word on one output, with what made the output.

    Args:
        output: The text that was judged.
        better: The text that the person made of it.
        attempt: The execution of the row.
        agent: Who the model was asked to be; empty, as are model and prompt version, where a person wrote the text.
        prompt_version: Digest of agent and template, in short.
        experiment: Experiment that the row took part in; empty for none, and where a person wrote the text.
        variant: As which of its variants.
    """

    run: str
    row: str
    output: Digest
    by: str
    rating: Rating
    reason: str = ""
    better: Digest | None = None
    origin: Origin
    at: str
    attempt: PositiveInt = 1
    board: str = ""
    agent: str = ""
    model: str = ""
    prompt_version: str = ""
    experiment: str = ""
    variant: str = ""


class Dataset(Contract):
    """All preference pairs as they were at a moment, as an artifact of JSON lines."""

    digest: Digest
    pairs: NonNegativeInt
    at: str


class Score(Contract):
    """How good something is by the votes on its outputs.

    Args:
        name: The agent, model, prompt version or board.
        good: Votes for.
        votes: All votes.
        outputs: How many outputs they are about.
        share: ``good / votes``.
        low: Lower end of the interval that holds the true share with 95 % confidence.
        high: Its upper end.
    """

    name: str
    good: NonNegativeInt
    votes: PositiveInt
    outputs: PositiveInt
    share: NonNegativeFloat
    low: NonNegativeFloat
    high: NonNegativeFloat
