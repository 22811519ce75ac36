"""Bodies of HTTP requests and answers about experiments."""

from typing import Annotated

from pydantic import BaseModel, Field

from activities.experiments.contracts import MOST_VARIANTS, Experiment, Metric, Unit
from api.models import Body
from catalogs.experiment import MAX_SHARE, ExperimentName
from catalogs.team import Agent


class VariantBody(Body):
    """A variant; what it does not name stays as the row says.

    Args:
        share: How many rows it gets for those that the others get, by their shares.
        model: Model group that answers.
        prompt: Template of the prompt, as in column ``prompt``.
        agent: Name of an agent as it is defined now, or a definition.
    """

    name: ExperimentName
    share: int = Field(default=1, ge=1, le=MAX_SHARE)
    model: str = Field(default="", max_length=200)
    prompt: str = Field(default="", max_length=100_000)
    agent: Annotated[str, Field(max_length=60)] | Agent | None = None


class ExperimentBody(Body):
    """An experiment to begin.

    Args:
        name: As rows name it in column ``experiment``.
        about: What is to be found out.
        metric: Whose votes count.
        unit: What a variant sticks to where a row says no key.
        alpha: How often the test may name a winner that is not better.
        by: Who begins it; needed nowhere, and never somebody else.
    """

    name: ExperimentName
    about: str = Field(default="", max_length=2000)
    variants: list[VariantBody] = Field(min_length=2, max_length=MOST_VARIANTS)
    metric: Metric = Metric.VOTES
    unit: Unit = Unit.ROW
    alpha: float = Field(default=0.05, ge=0.0001, le=0.5, allow_inf_nan=False)
    by: str = Field(default="", max_length=200)


class EndBody(Body):
    """How an experiment ends.

    Args:
        adopt: Variant that every row which names the experiment gets from now on; without, they run as written.
        by: Who ends it.
    """

    adopt: ExperimentName | None = None
    by: str = Field(default="", max_length=200)


class Experiments(BaseModel):
    """Experiments, the newest first."""

    experiments: list[Experiment]
