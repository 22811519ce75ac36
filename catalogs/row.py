"""What one row of an Infinity Prompt Catalog means, after it was read and checked."""

from enum import StrEnum

from pydantic import Field, NonNegativeInt, PositiveInt

from temporal.contract import Contract


class Mode(StrEnum):
    """How many model calls a row makes."""

    SINGLE = "single"
    STEPWISE = "stepwise"


class Review(StrEnum):
    """Who opens a review of the row's output."""

    NONE = "none"
    REQUIRED = "required"
    POLICY = "policy"


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
    NONE = "none"


class CatalogRow(Contract):
    """One task of a catalog.

    Args:
        id: Unique within the catalog; letters, digits and ``. _ - /``.
        line: Physical line of the file on which the row starts, from 1.
        workflow: Ordered steps the model is asked to follow.
        verification: Acceptance criteria, in the order written.
        depends_on: Ids of rows that must succeed first, written or implied by the template.
        model: Model group, or empty for the default group.
        prompt: Template of the prompt, or empty for the composed default.
        literal: The prompt is text, not a template.
        deadline: How long a review may wait, in seconds, or ``None`` for ever.
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
    depends_on: tuple[str, ...] = ()
    agent: str = ""
    model: str = ""
    prompt: str = ""
    literal: bool = False
    mode: Mode = Mode.SINGLE
    language: Language | None = None
    code: str = ""
    review: Review = Review.NONE
    reviewers: tuple[str, ...] = ()
    quorum: PositiveInt = 1
    deadline: PositiveInt | None = None
    risk: Risk = Risk.LOW
    scan: Scan = Scan.SECRETS
    notify: tuple[str, ...] = ()
    priority: int = Field(default=3, ge=1, le=5)
    timeout: PositiveInt = 120
    retries: NonNegativeInt = 3
    budget_usd: float | None = Field(default=None, ge=0)
    labels: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
