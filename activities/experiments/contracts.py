"""An experiment, the variant that a row gets, and what is known of how good the variants are."""

import math
from collections import Counter
from enum import StrEnum
from typing import Annotated, Final, Protocol, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, computed_field, model_validator

from activities.artifacts.contracts import Digest
from catalogs.experiment import ExperimentName, Variant
from catalogs.row import CatalogRow
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

MOST_VARIANTS: Final = 5


class ExperimentNotFound(PrismError):
    """There is no such experiment, or it has no such variant."""

    code = ErrorCode.NOT_FOUND


class ExperimentExists(PrismError):
    """Another experiment has this name."""

    code = ErrorCode.CONFLICT


class ExperimentEnded(PrismError):
    """The experiment has ended, and is neither paused nor resumed any more."""

    code = ErrorCode.CONFLICT


class Metric(StrEnum):
    """Whose votes count: everybody's, those in reviews, or those of readers."""

    VOTES = "votes"
    REVIEWS = "reviews"
    READERS = "readers"


class Unit(StrEnum):
    """What a variant sticks to where a row says no key: the row in all runs, or the row within its run."""

    ROW = "row"
    RUN = "run"


class Status(StrEnum):
    """The life of an experiment. While it is paused no further unit joins; when it has ended no vote counts."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class ExperimentSpec(Contract):
    """What is to be compared. It never changes: a test of something that changes says nothing.

    Args:
        name: As rows name it in column ``experiment``.
        about: What is to be found out.
        alpha: How often the test may name a winner that is not better.
    """

    name: ExperimentName
    about: Annotated[str, Field(max_length=2000)] = ""
    variants: Annotated[tuple[Variant, ...], Field(min_length=2, max_length=MOST_VARIANTS)]
    metric: Metric = Metric.VOTES
    unit: Unit = Unit.ROW
    alpha: Annotated[float, Field(ge=0.0001, le=0.5)] = 0.05

    @model_validator(mode="after")
    def _tells_its_variants_apart(self) -> Self:
        for name, times in Counter(variant.name for variant in self.variants).items():
            if times > 1:
                raise ValueError(f"{times} variants are called {name!r}")
        seen: dict[tuple[str, str, str | None], str] = {}
        for variant in self.variants:
            if (other := seen.setdefault(variant.changes, variant.name)) != variant.name:
                raise ValueError(f"variants {other!r} and {variant.name!r} are the same: each names what differs")
        return self


class Experiment(Contract):
    """An experiment as it stands.

    Args:
        adopted: Variant that every row gets since the end; empty where rows run as they are written.
        winner: Variant that people were told is the best; empty before.
        decided_at: When they were told.
        units: How many units were assigned.
        judged: How many of them have an outcome.
    """

    spec: ExperimentSpec
    status: Status = Status.RUNNING
    created_by: str = ""
    created_at: str
    ended_at: str | None = None
    adopted: str = ""
    winner: str = ""
    decided_at: str | None = None
    units: NonNegativeInt = 0
    judged: NonNegativeInt = 0

    def variant(self, name: str) -> Variant:
        """Return a variant by its name.

        Raises:
            ExperimentNotFound: It has none of this name.
        """
        for variant in self.spec.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in self.spec.variants)
        raise ExperimentNotFound(f"experiment {self.spec.name!r} has no variant {name!r}, but {known}", found=name)


class Trial(Contract):
    """That a row ran as one of an experiment's variants.

    Args:
        unit: What the variant sticks to.
        definition: Digest of the variant (canonical JSON).
        planned: Digest of the row as it was planned; it ran as the variant had it.
        agent: Who the model was asked to be.
        prompt_version: Digest of agent and template, in short.
    """

    experiment: str
    variant: str
    unit: str
    definition: Digest
    planned: Digest
    agent: str = ""
    prompt_version: str = ""


class Placed(Contract):
    """A row as it is to run; ``trial`` is ``None`` where it runs as it is written."""

    row: CatalogRow
    trial: Trial | None = None


class Placing(Protocol):
    """Gives rows their variants."""

    async def place(self, row: CatalogRow, run: str) -> Placed:
        """Return a row as it is to run; asked again, a unit gets what it got.

        Raises:
            ExperimentNotFound: The row names an experiment that there is not.
        """
        ...


class Outcome(Contract):
    """What the first vote said of a unit."""

    variant: str
    good: bool


class VariantScore(Contract):
    """How good a variant is by the units that were voted on.

    Args:
        units: How many units got it.
        judged: How many of them have an outcome.
        share: Good ones among these; ``None`` without any.
        low: Lower end of the interval that holds the true share with 95 % confidence at a moment fixed beforehand.
        high: Its upper end.
    """

    variant: str
    units: NonNegativeInt = 0
    judged: NonNegativeInt = 0
    good: NonNegativeInt = 0
    share: NonNegativeFloat | None = None
    low: NonNegativeFloat = 0.0
    high: NonNegativeFloat = 1.0


class Comparison(Contract):
    """What the test says of two variants.

    Args:
        first: One of them.
        second: The other.
        log_e: Natural logarithm of the e-value of all outcomes so far.
        p: Holds whenever and however often one looks.
        better: Which one is better, once that is known; empty before.
    """

    first: str
    second: str
    log_e: float
    p: NonNegativeFloat
    better: str = ""

    def evidence(self, threshold: float) -> float:
        """Return which part of the evidence that is wanted there has been at best, on the scale of its logarithm."""
        return math.log(max(self.p, 1e-300)) / math.log(threshold)


class Report(Contract):
    """What is known of an experiment.

    Args:
        comparisons: Of every two variants.
        threshold: What a p-value must not exceed for one of two to be called better: alpha by the number of pairs.
        winner: Variant that is better than every other; empty while none is.
    """

    experiment: Experiment
    scores: tuple[VariantScore, ...]
    comparisons: tuple[Comparison, ...]
    threshold: float
    winner: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """In words: ``undecided``, or ``winner: B``."""
        return f"winner: {self.winner}" if self.winner else "undecided"
