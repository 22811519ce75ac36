"""Reflections: what is asked of one, how far it is, and the versions of prompts that come of it."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from pydantic import NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Digest
from catalogs.evidence import Evidence
from catalogs.team import Agent, AgentName
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

_AGENT_CHARS: Final = 40
_UNIQUE_CHARS: Final = 8


class ReflectionState(StrEnum):
    """How far a reflection is. All but the first two are ends.

    ``UNDER_WAY`` is the life of its row: a model writes, a person decides. ``NOTHING`` is too little evidence.
    """

    GATHERING = "gathering"
    UNDER_WAY = "under_way"
    NOTHING = "nothing"
    APPROVED = "approved"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether it goes nowhere from here."""
        return self not in {ReflectionState.GATHERING, ReflectionState.UNDER_WAY}


class ReflectRequest(Contract):
    """What is to be reflected on.

    Args:
        agent: Whose prompt.
        reflection: Id of the reflection, and of the run whose row is the proposal; left out, the workflow makes one.
        board: Only evidence of this board; empty for all.
        model: Model group that proposes; empty for whom the reflector asks.
        wanted: How many pieces of evidence there must be; ``None`` as the installation is set up.
        by: Who asks for it; empty for the calendar, which asks only about what is new since the last reflection.
        policy: Digest of the version of the policy that decides; ``None`` for the newest.
    """

    agent: AgentName
    reflection: str = ""
    board: str = ""
    model: str = ""
    wanted: PositiveInt | None = None
    by: str = ""
    policy: Digest | None = None


def reflection_id(agent: str, unique: str) -> str:
    """Return the id of a new reflection; it is the id of a run too."""
    return f"reflect-{re.sub('[^a-z0-9]+', '-', agent)[:_AGENT_CHARS]}-{unique[:_UNIQUE_CHARS]}"


class Gathered(Contract):
    """What was found.

    Args:
        state: ``UNDER_WAY`` where there is enough of it, else how the reflection ended.
        plan: Digest of the catalog that was made of it.
    """

    state: ReflectionState
    message: str = ""
    title: str = ""
    plan: Digest | None = None
    total: NonNegativeInt = 0
    page_rows: PositiveInt = 1


class SettleRequest(Contract):
    """Which reflection's row has ended."""

    reflection: str


class PromptVersion(Contract):
    """A definition of an agent that a person approved.

    Args:
        digest: Of the definition, as provenance states it.
        definition: The whole agent.
        parent: Digest of the definition that it was made of.
        reflection: Where it was proposed; its row holds reasons, review and provenance.
        experiment: Where it is compared with the one that it was made of; empty for nowhere.
    """

    digest: Digest
    definition: Agent
    parent: Digest
    reflection: str
    approved_by: str
    at: str
    experiment: str = ""


class Reflection(Contract):
    """A reflection as it stands.

    Args:
        definition: The agent as it was then.
        evidence: How many pieces were found.
        left_out: Texts of them that no model was shown, as they seem to hold secrets.
        version: What came of it.
    """

    reflection: str
    agent: str
    board: str = ""
    by: str = ""
    state: ReflectionState
    message: str = ""
    definition: Agent | None = None
    evidence: NonNegativeInt = 0
    wanted: PositiveInt
    left_out: NonNegativeInt = 0
    at: str
    ended_at: str | None = None
    version: PromptVersion | None = None


class Ending(Contract):
    """How a reflection's row stands in the records.

    Args:
        output: Digest of the proposal.
        decided_by: Who decided on it last.
        at: When it ended.
    """

    succeeded: bool = False
    rejected: bool = False
    message: str = ""
    output: Digest | None = None
    decided_by: str = ""
    at: str = ""


class ProposalRefused(PrismError):
    """There is no catalog that could propose a prompt: it is not valid, or the policy does not let it start."""

    code = ErrorCode.INVALID_CATALOG


class Compiled(Contract):
    """The catalog of a reflection, by the digest of its plan."""

    digest: Digest
    title: str
    total: PositiveInt
    page_rows: PositiveInt


class ProposalCatalogs(Protocol):
    """Makes catalogs that have a prompt proposed."""

    async def agent(self, name: str) -> Agent | None:
        """Return an agent as it is in use now."""
        ...

    async def compiled(
        self, request: ReflectRequest, agent: Agent, evidence: Sequence[Evidence], data_class: str
    ) -> Compiled:
        """Compile the catalog, and have the policy admit it.

        Raises:
            ProposalRefused: It may not run.
        """
        ...


class EvidenceSource(Protocol):
    """Finds what was wrong with the outputs of an agent under the words that it is told now."""

    async def evidence(self, agent: Agent, board: str = "", since: str = "") -> list[Evidence]:
        """Return the newest evidence, the newest first; none from before a moment."""
        ...


class ReflectionRegister(Protocol):
    """Remembers reflections and what came of them. Every call may be repeated without effect."""

    async def begin(self, request: ReflectRequest, wanted: int) -> None:
        """Note that one begins."""
        ...

    async def change(self, reflection: Reflection) -> None:
        """Note how one stands; one that has ended stays so."""
        ...

    async def approve(self, reflection: Reflection, version: PromptVersion) -> None:
        """Note the version that came of one, and that it has ended."""
        ...

    async def reflection(self, identity: str) -> Reflection | None:
        """Return one."""
        ...

    async def last(self, agent: str, but: str) -> Reflection | None:
        """Return the newest reflection of an agent, but one, that a model was asked for or still may be."""
        ...

    async def ending(self, identity: str) -> Ending:
        """Return how the row of one stands."""
        ...


class Experiments(Protocol):
    """Starts comparisons of two definitions of an agent."""

    async def compare(self, version: PromptVersion, present: Agent) -> str:
        """Start one for a version, unless it was started; return its name."""
        ...
