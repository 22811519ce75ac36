"""Bodies of HTTP requests and answers."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from activities.records.views import EventView, NotificationView, RowView, RunView
from catalogs.faults import Fault

RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Body(BaseModel):
    """A request's body; unknown fields are refused, as they are typing errors."""

    model_config = ConfigDict(extra="forbid")


class Submission(Body):
    """A catalog to run.

    Args:
        csv: The catalog's text.
        title: What the run is called.
        run: Run id of the client's choice.
        map: Column of the file to column of Prism.
        literal: Prompts are text, not templates.
        skip_invalid: Leave out invalid rows and what depends on them.
        concurrency: How many rows may be under way at once.
    """

    csv: str
    title: str = Field(default="catalog", max_length=200)
    run: RunId | None = None
    map: dict[str, str] = Field(default_factory=dict)
    literal: bool = False
    skip_invalid: bool = False
    concurrency: PositiveInt | None = Field(default=None, le=1000)


class Submitted(BaseModel):
    """The run of a submission; ``created`` is false when it was there before."""

    run: str
    created: bool
    total: int
    warnings: list[Fault] = []
    left_out: list[Fault] = []
    rows_left_out: int = 0
    links: dict[str, str] = {}


class Validation(BaseModel):
    """What is wrong with a catalog."""

    valid: bool
    rows: int = 0
    errors_found: int = 0
    errors: list[Fault] = []
    warnings: list[Fault] = []


class Runs(BaseModel):
    """A page of runs; ``next`` is the cursor of the next page."""

    runs: list[RunView]
    next: str | None = None


class Rows(BaseModel):
    """A page of rows; ``next`` is the cursor of the next page."""

    rows: list[RowView]
    next: int | None = None


class Events(BaseModel):
    """A page of events."""

    events: list[EventView]


class Notifications(BaseModel):
    """Notifications, newest first."""

    notifications: list[NotificationView]


class OperatorBody(Body):
    """Who acts, and why."""

    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=2000)


class SelectionBody(Body):
    """Rows by id; none means all it can apply to."""

    rows: list[str] = Field(default_factory=list, max_length=10000)


class SkipBody(Body):
    """Rows to skip, by id."""

    rows: list[str] = Field(min_length=1, max_length=10000)


class ConcurrencyBody(Body):
    """A new limit."""

    limit: int = Field(ge=1, le=1000)


class DecisionBody(Body):
    """A reviewer's decision."""

    by: str = Field(min_length=1, max_length=200)
    comment: str = Field(default="", max_length=10000)


class Accepted(BaseModel):
    """The request was handed to the workflow."""

    accepted: bool = True


class VerifyBody(Body):
    """What to verify: a row of a run, or an envelope by digest."""

    run: str | None = None
    row: str | None = None
    envelope: str | None = None


class Verification(BaseModel):
    """What an envelope proves."""

    valid: bool
    keyid: str = ""
    output: str = ""
    output_checked: bool = False
    reason: str = ""
    statement: dict[str, Any] = {}


class Health(BaseModel):
    """Whether the process, or what it needs, answers."""

    status: str
    parts: dict[str, str] = {}
