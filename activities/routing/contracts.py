"""The choice of a row's model group: what it is made by, what came out, and the shares that local models have."""

from typing import Protocol

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, computed_field

from catalogs.row import Risk
from temporal.contract import Contract, StepRef


class RouteRequest(Contract):
    """What is known of a row before its model is asked.

    Args:
        step: Its key is the choice's: whoever asks again under it gets what was chosen first.
        model: What the row names; empty or ``auto`` leaves the choice to the routing.
        local_only: The policy lets its data go to local models only.
        prompt_bytes: Length of its first prompt.
        max_tokens: Longest answer it may give.
        calls: How many calls one draft of it takes.
        criteria: What its answer is checked for.
        runs_code: Its answer is run, or holds a program.
        refused: Its answers were refused before: by its criteria, or by a person.
    """

    step: StepRef
    model: str = ""
    risk: Risk = Risk.LOW
    local_only: bool = False
    prompt_bytes: NonNegativeInt = 0
    max_tokens: PositiveInt = 512
    calls: PositiveInt = 1
    criteria: tuple[str, ...] = ()
    runs_code: bool = False
    refused: bool = False


class Route(Contract):
    """Who writes a row.

    Args:
        groups: The group that writes it, and after each draft that fails verification the next one.
        reason: Why.
        local: Whether the first of them is local.
        suits: How well a local model would serve the row, from 0 to 1; ``None`` where that did not matter.
    """

    groups: tuple[str, ...] = Field(min_length=1)
    reason: str
    local: bool = False
    suits: NonNegativeFloat | None = None


class LocalShare(Contract):
    """How many of the calls that write rows local models took, by run or by day.

    Args:
        target: The share that the routing is to reach; ``None`` where there is no routing, or nothing to choose.
        of: What the target counts, ``calls`` or ``tokens``.
    """

    calls: NonNegativeInt = 0
    local_calls: NonNegativeInt = 0
    tokens: NonNegativeInt = 0
    local_tokens: NonNegativeInt = 0
    target: float | None = None
    of: str = "calls"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def of_calls(self) -> float | None:
        """The share of calls; ``None`` before the first."""
        return self.local_calls / self.calls if self.calls else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def of_tokens(self) -> float | None:
        """The share of tokens; ``None`` before the first."""
        return self.local_tokens / self.tokens if self.tokens else None

    @property
    def share(self) -> float | None:
        """The share as the target counts it; ``None`` before the first call."""
        return self.of_tokens if self.of == "tokens" else self.of_calls


class RoutePlanner(Protocol):
    """Chooses who writes a row, once per key."""

    async def route(self, request: RouteRequest) -> Route:
        """Return who writes a row; the first choice under a key stays.

        Raises:
            UnknownModel: The row names a group that is not configured.
            NoLocalModel: Its data may go to local models only, and none can serve it.
        """
        ...
