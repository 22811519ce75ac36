"""What one row of an Infinity Prompt Catalog means, after it was read and checked."""

from enum import StrEnum
from typing import Any, Final

from pydantic import Field, NonNegativeInt, PositiveInt

from catalogs.experiment import Participation
from catalogs.team import DEFAULT_PLANNED, DEFAULT_ROUNDS, Agent, Pattern
from temporal.contract import Contract

# A reviewer that begins so is a role, not a person.
ROLE_PREFIX: Final = "role:"


class Mode(StrEnum):
    """How many model calls a row makes."""

    SINGLE = "single"
    STEPWISE = "stepwise"


class Review(StrEnum):
    """Who opens a review of the row's output."""

    NONE = "none"
    REQUIRED = "required"
    POLICY = "policy"


class OnDeadline(StrEnum):
    """What becomes of a review that nobody decided in time."""

    REJECT = "reject"
    APPROVE = "approve"
    WAIT = "wait"


class Risk(StrEnum):
    """How much harm a wrong output could do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Language(StrEnum):
    """Languages the sandbox runs."""

    PYTHON = "python"
    SHELL = "shell"
    JAVASCRIPT = "javascript"


class Scan(StrEnum):
    """Which scans the output passes."""

    SECRETS = "secrets"
    CODE = "code"
    NONE = "none"


class Cache(StrEnum):
    """Whether a model call may be answered by what the same call, or a similar one, was answered before."""

    USE = "use"
    BYPASS = "bypass"
    REFRESH = "refresh"
    SEMANTIC = "semantic"


class CatalogRow(Contract):
    """One task of a catalog.

    Args:
        id: Unique within the catalog; letters, digits and ``. _ - /``.
        line: Physical line of the file on which the row starts, from 1.
        workflow: Ordered steps the model is asked to follow.
        verification: Acceptance criteria, in the order written.
        output_schema: JSON schema of the object that the output is, as canonical JSON; ``None`` for text.
        depends_on: Ids of rows that must succeed first, written or implied by the template or the workspace.
        agent: A role in words, or the names of agents that are defined.
        pattern: How several agents work together; ``None`` for one role or agent.
        rounds: Rounds of a debate.
        plan_rows: Most rows that a row of pattern ``plan`` may propose.
        team: Definitions of the agents, as they were when the catalog was read.
        knowledge: Collections whose passages are looked up for the row.
        remember: Key under which the run's agents find the output; empty for none.
        experiment: Which experiment decides on model, prompt or agent; ``None`` for none.
        model: Model group; empty or ``auto`` leaves the choice to the routing, or takes the default group.
        data_class: How closely its data is kept; the policy says which models may see it.
        prompt: Template of the prompt, or empty for the composed default.
        literal: The prompt is text, not a template.
        reviewers: Persons, and roles written ``role:cfo``; none means anyone who may review.
        deadline: How long a review may wait, in seconds, or ``None`` for ever.
        on_deadline: What follows then; ``approve`` counts only where the policy lets silence approve.
        escalate: Who may decide too when most of the deadline has passed.
        form: JSON schema of a flat object that a reviewer fills in.
        tools: Tools that the model may call, by name: digests of their definitions.
        team_tools: Those that each agent may call in its turns, by the agent's name; an agent that is not here may call
            the row's.
        secrets: References to secrets by the environment variable in which ``code`` finds the value.
        files: Patterns of the files that the program leaves and that are kept.
        workspace: Row whose files the program goes on with; empty for none.
        cache: Whether answers may come from the cache; ``None`` leaves it to the installation.
        priority: 1 is started first, 5 last.
        timeout: Longest one model call may take, in seconds.
        retries: Further attempts of a failed model call.
        variables: Columns that Prism does not know, for templates.
    """

    id: str
    line: PositiveInt
    board: str = ""
    task: str = ""
    title: str = ""
    objective: str
    stack: str = ""
    workflow: tuple[str, ...] = ()
    verification: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    depends_on: tuple[str, ...] = ()
    agent: str = ""
    pattern: Pattern | None = None
    rounds: PositiveInt = DEFAULT_ROUNDS
    plan_rows: PositiveInt = DEFAULT_PLANNED
    team: tuple[Agent, ...] = ()
    knowledge: tuple[str, ...] = ()
    remember: str = ""
    experiment: Participation | None = None
    model: str = ""
    prompt: str = ""
    literal: bool = False
    mode: Mode = Mode.SINGLE
    language: Language | None = None
    code: str = ""
    tools: dict[str, str] = Field(default_factory=dict)
    team_tools: dict[str, dict[str, str]] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    files: tuple[str, ...] = ()
    workspace: str = ""
    review: Review = Review.NONE
    reviewers: tuple[str, ...] = ()
    quorum: PositiveInt = 1
    deadline: PositiveInt | None = None
    on_deadline: OnDeadline = OnDeadline.REJECT
    escalate: tuple[str, ...] = ()
    form: dict[str, Any] | None = None
    risk: Risk = Risk.LOW
    scan: Scan = Scan.SECRETS
    notify: tuple[str, ...] = ()
    cache: Cache | None = None
    priority: int = Field(default=3, ge=1, le=5)
    timeout: PositiveInt = 120
    retries: NonNegativeInt = 3
    budget_usd: float | None = Field(default=None, ge=0)
    data_class: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)

    @property
    def callable_tools(self) -> dict[str, str]:
        """All tools that may be called for the row: its own, and those of its agents."""
        return self.tools | {name: digest for tools in self.team_tools.values() for name, digest in tools.items()}

    def tools_of(self, agent: Agent | None) -> dict[str, str]:
        """Return the tools that may be called in an agent's turn, or where no agent is defined."""
        return self.team_tools.get(agent.name, self.tools) if agent else self.tools
