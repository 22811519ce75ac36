"""Bodies of HTTP requests and answers about reviews."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from activities.reviews.contracts import DecisionKind, ReviewState
from activities.reviews.views import ReviewView
from api.models import Accepted, Body, DecisionBody

MAX_OUTPUT = 1_000_000
MAX_BULK = 500
Reviewer = Annotated[str, Field(min_length=1, max_length=200)]


class ReviewBody(DecisionBody):
    """A decision of any kind; ``by`` may be left out by somebody who is logged in.

    Args:
        kind: What is decided.
        round: The round that was looked at; a newer one refuses the decision.
        output: The edited text, for ``edit``.
        answers: What was filled in, for ``answer``.
        reviewers: Persons and ``role:<name>``, for ``reassign``.
    """

    kind: DecisionKind
    round: PositiveInt | None = None
    output: str | None = Field(default=None, max_length=MAX_OUTPUT)
    answers: dict[str, Any] | None = Field(default=None, max_length=100)
    reviewers: list[Reviewer] = Field(default_factory=list, max_length=100)


class Decided(Accepted):
    """Where the review stands after a decision.

    Args:
        state: Of the round that was decided on.
        approvals: Approvals that count.
        needed: How many it takes.
        queued: No worker answered in time. The decision is kept and counts when one does, unless another came first.
    """

    state: ReviewState
    round: int = 0
    approvals: int = 0
    needed: int = 1
    message: str = ""
    queued: bool = False


class Place(Body):
    """A row under review."""

    run: str = Field(max_length=200)
    row: str = Field(max_length=400)
    round: PositiveInt | None = None


class BulkBody(DecisionBody):
    """One decision on several reviews: those named, or all that wait and fit the filter.

    Args:
        kind: ``approve``, ``reject``, ``request_changes``, ``claim``, ``release``, ``reassign`` or ``comment``.
        reviews: Rows by name.
        every: Take the filter; without it, and without rows, nothing is decided by mistake.
    """

    kind: DecisionKind
    reviews: list[Place] = Field(default_factory=list, max_length=MAX_BULK)
    every: bool = False
    run: str = Field(default="", max_length=200)
    board: str = Field(default="", max_length=200)
    risk: str = Field(default="", max_length=20)
    q: str = Field(default="", max_length=200)
    reviewers: list[Reviewer] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _names_what_it_is_about(self) -> Self:
        if bool(self.reviews) == self.every:
            raise ValueError("name the reviews, or say every=true for all that fit the filter")
        if self.kind in {DecisionKind.EDIT, DecisionKind.ANSWER}:
            raise ValueError(f"{self.kind.value} is about one text; decide on it by itself")
        return self


class BulkResult(BaseModel):
    """What became of one of several decisions; ``code`` and ``message`` say why one was refused."""

    run: str
    row: str
    ok: bool
    state: ReviewState | None = None
    code: str = ""
    message: str = ""


class BulkDecided(BaseModel):
    """What became of each decision; every row decided by itself."""

    decided: int
    refused: int
    results: list[BulkResult]


class ReviewQuery(BaseModel):
    """Which reviews are listed.

    Args:
        mine: Only those that who asks may decide on.
        reviewer: Only those that this person, or ``role:<name>``, may decide on.
        state: ``all`` for every state.
        due_before: Only what is due until then, ISO 8601 UTC.
        q: Only rows whose id, title or objective holds this text.
    """

    model_config = ConfigDict(extra="forbid")

    mine: bool = False
    reviewer: str = Field(default="", max_length=200)
    state: ReviewState | Literal["all"] = ReviewState.WAITING
    run: str = Field(default="", max_length=200)
    board: str = Field(default="", max_length=200)
    risk: str = Field(default="", max_length=20)
    due_before: str = Field(default="", max_length=40)
    q: str = Field(default="", max_length=200)
    limit: int = Field(default=100, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=2**31 - 1)


class Reviews(BaseModel):
    """Reviews, the most urgent first; ``waiting`` counts all that fit, on this page or not."""

    reviews: list[ReviewView]
    waiting: int


class ReviewRound(ReviewView):
    """A round with the text that was decided on; ``None`` where it is kept no more."""

    output: str | None = None

    @property
    def shown(self) -> str | None:
        """The text as people read it: an object in JSON, as rows have it that answer by a schema, by its fields."""
        if self.output is None or not self.output.startswith("{"):
            return self.output
        try:
            return json.dumps(json.loads(self.output), indent=2, ensure_ascii=False)
        except ValueError:
            return self.output


class ReviewDetail(BaseModel):
    """Every round of a row's review, the first first.

    Args:
        may_decide: Whether who asks is among those who may decide on the round that waits.
    """

    rounds: list[ReviewRound]
    may_decide: bool = False
