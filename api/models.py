"""Bodies of HTTP requests and answers."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from activities.artifacts.contracts import Digest
from activities.audit.contracts import AuditEntry
from activities.records.views import EventView, NotificationView, RowView, RunView
from api.estimate_models import Estimate
from catalogs.faults import Fault
from catalogs.tools import MOST_TOOL_CALLS, MOST_TOOL_ROUNDS

Cell = str | bool | int | float | None

RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Body(BaseModel):
    """A request's body; unknown fields are refused, as they are typing errors."""

    model_config = ConfigDict(extra="forbid")
    # Fields that are a catalog: a NUL there is the catalog's fault, told with its line, not the request's.
    catalogs: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, values: Any) -> Any:  # noqa: ANN401 -- JSON values
        """Refuse half characters, which JSON can spell and nothing can store, and NUL, which PostgreSQL does not."""
        if isinstance(values, dict):
            try:
                json.dumps(values, ensure_ascii=False, default=str).encode()
            except UnicodeEncodeError:
                raise ValueError("a text holds half of a surrogate pair, which is no character") from None
            named = [value for name, value in values.items() if name not in cls.catalogs]
            if any("\0" in text for text in _texts(named)):
                raise ValueError("a text holds NUL, which is no character of a name or a remark")
        return values


class Submission(Body):
    """A catalog to run, as ``csv`` or as ``rows``.

    Args:
        csv: The catalog's text.
        rows: The catalog's rows, each from column to cell; faults count them as lines of the CSV they make.
        title: What the run is called.
        run: Run id of the client's choice.
        map: Column of the file to column of Prism.
        literal: Prompts are text, not templates.
        skip_invalid: Leave out invalid rows and what depends on them.
        concurrency: How many rows may be under way at once.
        budget_usd: Most that all model calls of the run may cost; then it pauses, and a person is asked for more.
        pin_policy: Keep to the policy in force now, whatever is newer while the run lasts.
        tool_rounds: How often a model may call tools before it has to answer, for each text it writes; 8 by default.
        tool_calls: How many calls that may be in all; 32 by default, and the policy has a limit of its own.
        submitter: Who submits; needed nowhere, and never somebody else.
    """

    catalogs = frozenset({"csv", "rows"})
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["csv"]}, {"required": ["rows"]}]})

    csv: str = ""
    rows: list[dict[str, Cell]] = Field(default_factory=list, max_length=200_000)
    title: str = Field(default="catalog", max_length=200)
    run: RunId | None = None
    map: dict[str, str] = Field(default_factory=dict)
    literal: bool = False
    skip_invalid: bool = False
    concurrency: PositiveInt | None = Field(default=None, le=1000)
    budget_usd: float | None = Field(default=None, gt=0, le=1_000_000_000, allow_inf_nan=False)
    pin_policy: bool = False
    tool_rounds: PositiveInt | None = Field(default=None, le=MOST_TOOL_ROUNDS)
    tool_calls: PositiveInt | None = Field(default=None, le=MOST_TOOL_CALLS)
    submitter: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _is_one_catalog(self) -> Self:
        if len(self.catalogs & self.model_fields_set) != 1:
            raise ValueError("send the catalog as csv or as rows, one of the two")
        return self


class Submitted(BaseModel):
    """The run of a submission; ``created`` is false when it was there before.

    Args:
        estimate: What it is to cost; not there when the model gateway does not answer, or the run was there before.
    """

    run: str
    created: bool
    total: int
    warnings: list[Fault] = []
    left_out: list[Fault] = []
    rows_left_out: int = 0
    links: dict[str, str] = {}
    estimate: Estimate | None = None


class Validation(BaseModel):
    """What is wrong with a catalog; ``denied`` is why the policy would not let it start.

    Args:
        estimate: What it would cost; not there when it cannot run, or when the model gateway does not answer.
    """

    valid: bool
    rows: int = 0
    errors_found: int = 0
    errors: list[Fault] = []
    warnings: list[Fault] = []
    denied: list[str] = []
    estimate: Estimate | None = None


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
    """Notifications, newest first; ``unread`` counts those that fit and were not seen, shown here or not."""

    notifications: list[NotificationView]
    unread: int = 0
    next: str | None = None


class SeenBody(Body):
    """Which notifications were seen; none named means all of one's own."""

    keys: list[Annotated[str, Field(max_length=500)]] = Field(default_factory=list, max_length=500)


class Seen(BaseModel):
    """How many notifications were marked as read now."""

    marked: int


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


MOST_AT_ONCE: Final = 1000


class ConcurrencyBody(Body):
    """A new limit."""

    limit: int = Field(ge=1, le=MOST_AT_ONCE)


class DecisionBody(Body):
    """A reviewer's decision; ``by`` may be left out by somebody who is logged in."""

    by: str = Field(default="", max_length=200)
    comment: str = Field(default="", max_length=10000)


class Accepted(BaseModel):
    """The request was handed to the workflow."""

    accepted: bool = True


class VerifyBody(Body):
    """What to verify: a row of a run, or an envelope by digest."""

    run: str | None = None
    row: str | None = None
    envelope: Digest | None = None


class Verification(BaseModel):
    """What an envelope proves."""

    valid: bool
    keyid: str = ""
    output: str = ""
    output_checked: bool = False
    reason: str = ""
    statement: dict[str, Any] = {}
    files: dict[str, Digest] = {}
    files_checked: bool = False


class AuditPage(BaseModel):
    """A page of the audit log, newest first; ``next`` is the cursor of the next page."""

    entries: list[AuditEntry]
    next: int | None = None


class Health(BaseModel):
    """Whether the process, or what it needs, answers."""

    status: str
    parts: dict[str, str] = {}


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 -- JSON values
    """Yield every text of a JSON value, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(name)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
