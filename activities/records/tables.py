"""Tables of the records database (SQLite embedded, PostgreSQL in production).

Times are ISO 8601 UTC texts with microseconds, so that they sort and compare alike on both databases.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Text, false
from sqlmodel import Field, SQLModel

# SQLite gives an autoincrementing key only to INTEGER, PostgreSQL wants 64 bits.
_BIG = BigInteger().with_variant(Integer, "sqlite")


class RunRow(SQLModel, table=True):
    """A run of a catalog; ``budget`` is what its calls may cost, in millionths of a dollar.

    ``plan`` is as it was submitted, ``grown`` the same with the rows that were added since.
    """

    __tablename__ = "runs"

    run: str = Field(primary_key=True)
    title: str
    plan: str
    submitter: str = ""
    state: str = Field(index=True)
    sequence: int = -1
    total: int = 0
    concurrency: int | None = None
    budget: int | None = Field(default=None, sa_column=Column(BigInteger))
    policy: str | None = None
    grown: str | None = None
    created_at: str = Field(index=True)
    started_at: str | None = None
    finished_at: str | None = None


class TaskRecord(SQLModel, table=True):
    """A row of a run."""

    __tablename__ = "rows"
    __table_args__ = (
        Index("ix_rows_run_state", "run", "state", "position"),
        Index("ix_rows_position", "run", "position"),
    )

    run: str = Field(primary_key=True)
    row: str = Field(primary_key=True)
    position: int
    board: str = ""
    task: str = ""
    title: str = ""
    objective: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    risk: str = ""
    agent: str = Field(default="", sa_column_kwargs={"server_default": ""})
    prompt_version: str = Field(default="", sa_column_kwargs={"server_default": ""})
    planned_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    experiment: str = Field(default="", sa_column_kwargs={"server_default": ""})
    variant: str = Field(default="", sa_column_kwargs={"server_default": ""})
    unit: str = Field(default="", sa_column_kwargs={"server_default": ""})
    upstream: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    state: str
    attempt: int = 1
    generation: int = 0
    code: str = ""
    message: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    output_digest: str | None = None
    output: str | None = Field(default=None, sa_column=Column(Text))
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    saved_usd: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    cached_calls: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    similar: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list, server_default="[]")
    )
    envelope: str | None = None
    verdicts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    files: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, default=list, server_default="[]")
    )
    started_at: str | None = None
    finished_at: str | None = None


class StepRow(SQLModel, table=True):
    """A step of a row, one per execution of the row and ordinal."""

    __tablename__ = "steps"

    run: str = Field(primary_key=True)
    row: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    step: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    state: str
    started_at: str = ""
    finished_at: str = ""
    summary: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict))


class CallRow(SQLModel, table=True):
    """A model call, under its idempotency key. ``answer`` is null while the vendor has not answered.

    ``request`` is the digest of what was asked; empty in rows from before it was kept.
    """

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_answered", "model_group", "answered_at"),
        Index("ix_calls_answered_at", "answered_at"),
    )

    key: str = Field(primary_key=True)
    model_group: str = ""
    request: str = Field(default="", sa_column_kwargs={"server_default": ""})
    started_at: str
    starts: int = 1
    under_way: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    answered_at: str | None = None
    answer: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class CallFailureRow(SQLModel, table=True):
    """A request to a provider that failed; how many a call had counts against the row's attempts.

    ``deployment`` is ``provider/model``, ``name`` what the models file calls it. ``number`` says which of the call's
    requests it was. ``run``, ``row`` and ``step`` are empty where nobody knows whose it was.
    """

    __tablename__ = "call_failures"
    __table_args__ = (Index("ix_call_failures_row", "run", "row"),)

    id: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))
    key: str = Field(index=True)
    run: str = Field(default="", sa_column_kwargs={"server_default": ""})
    row: str = Field(default="", sa_column_kwargs={"server_default": ""})
    step: str = Field(default="", sa_column_kwargs={"server_default": ""})
    ordinal: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    number: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    name: str = Field(default="", sa_column_kwargs={"server_default": ""})
    deployment: str
    code: str
    status: int | None = None
    message: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    milliseconds: int = 0
    at: str = Field(index=True)


class CircuitChangeRow(SQLModel, table=True):
    """A deployment was left alone for so many seconds, asked once as a probe, or is asked like all others again."""

    __tablename__ = "circuit_changes"

    id: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))
    name: str
    deployment: str
    change: str
    seconds: float | None = None
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    at: str = Field(index=True)


class EventRow(SQLModel, table=True):
    """Something that happened, in the order it was recorded; the source of live events."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_run_id", "run", "id"),)

    id: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))
    key: str = Field(unique=True)
    run: str
    row: str = ""
    kind: str
    at: str
    body: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict))


class NotificationRow(SQLModel, table=True):
    """A notification in somebody's inbox; ``round`` is that of the review it asks for, 0 for none."""

    __tablename__ = "notifications"

    key: str = Field(primary_key=True)
    run: str = Field(index=True)
    row: str = ""
    recipient: str = Field(primary_key=True, index=True)
    title: str
    body: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    severity: str = "info"
    at: str
    read_at: str | None = None
    round: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class DeliveryRow(SQLModel, table=True):
    """A notification on its way out by one channel. What it says stands in ``notifications`` under the same key.

    ``message`` is the idempotency key towards the receiver: rows that have the same one are sent together. A digest's
    rows get theirs when they are first sent. ``target`` is the rule that asked for it, never an address.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due", "state", "next_at"), Index("ix_deliveries_message", "message"))

    key: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    target: str = ""
    message: str | None = None
    state: str
    attempts: int = 0
    next_at: str
    last_error: str = ""
    created_at: str
    delivered_at: str | None = None
