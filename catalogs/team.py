"""Agents as data, and how several of them bring about one row's output."""

import hashlib
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from temporal.contract import Contract

MAX_AGENTS: Final = 8
MAX_ROUNDS: Final = 5
DEFAULT_ROUNDS: Final = 2
MAX_SYSTEM_CHARS: Final = 8_000
# How many rows a row may propose where it does not say, and at most.
DEFAULT_PLANNED: Final = 20
MAX_PLANNED: Final = 100

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]


class Pattern(StrEnum):
    """How the agents of a row work together."""

    PIPELINE = "pipeline"
    VOTE = "vote"
    JUDGE = "judge"
    DEBATE = "debate"
    MAP = "map"
    PLAN = "plan"


class TurnKind(StrEnum):
    """What an agent is to do in its turn."""

    ANSWER = "answer"
    CONTINUE = "continue"
    PICK = "pick"
    DEBATE = "debate"
    CONCLUDE = "conclude"
    LIST = "list"
    ITEM = "item"
    REDUCE = "reduce"
    PLAN = "plan"


# How many agents each takes; of ``map`` the first lists what the second works through and the third brings together.
TAKES: Final = {
    Pattern.PIPELINE: (2, MAX_AGENTS),
    Pattern.VOTE: (2, MAX_AGENTS),
    Pattern.JUDGE: (3, MAX_AGENTS),
    Pattern.DEBATE: (3, MAX_AGENTS),
    Pattern.MAP: (2, 3),
    Pattern.PLAN: (1, 1),
}


class AgentLimits(Contract):
    """What one turn of an agent may take.

    Args:
        max_tokens: Longest answer; the run's own limit holds besides.
        timeout: Longest a call may take, in seconds; the row's own limit holds besides.
        context_tokens: Most that it is given to read, prompt and answer together.
        tool_rounds: How often it may call tools before it has to answer; the run's own limit holds besides.
        tool_calls: How many calls that may be in all; the run's own limit holds besides.
    """

    max_tokens: PositiveInt | None = None
    timeout: PositiveInt | None = None
    context_tokens: Annotated[int, Field(ge=256)] | None = None
    # Left out where they are not set: digests of definitions from before there were any stay what they were.
    tool_rounds: PositiveInt | None = Field(default=None, exclude_if=lambda value: value is None)
    tool_calls: NonNegativeInt | None = Field(default=None, exclude_if=lambda value: value is None)


class Agent(Contract):
    """Who takes a turn: what it is told to be, which models it asks, what it may use.

    Args:
        name: As rows name it.
        version: Raised by who changes what it is told; provenance states it with the digest.
        role: What people read.
        system: What it is told to be.
        model: Model group that it asks where the row names none.
        tools: Names of tools that it may call; ``CatalogRow.team_tools`` says which programs those are.
    """

    name: AgentName
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "1"
    role: Annotated[str, StringConstraints(max_length=200)] = ""
    system: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SYSTEM_CHARS, strip_whitespace=True)]
    model: str = ""
    tools: tuple[str, ...] = ()
    limits: AgentLimits = AgentLimits()

    @property
    def label(self) -> str:
        """Name and version, as provenance states them."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Digest of the whole definition."""
        return f"sha256:{hashlib.sha256(self.model_dump_json().encode()).hexdigest()}"

    def told(self, system: str) -> Self:
        """Return the next version of the agent, which is told something else.

        Raises:
            ValidationError: That is empty or too long.
        """
        version = str(int(self.version) + 1) if self.version.isdecimal() else f"{self.version}.1"[-40:]
        return self.model_validate(self.model_dump() | {"system": system, "version": version})
