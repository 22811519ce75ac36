"""What is remembered of runs, rows and steps, and the states they pass through."""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field, NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Digest, Text
from activities.artifacts.files import Snapshot
from activities.experiments.contracts import Trial
from activities.llm.contracts import Similar
from activities.scans.contracts import Finding
from activities.verification.contracts import Verdict
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError
from temporal.names import ErrorCode


class RecordsUnavailable(PrismError):
    """The records database could not be reached."""

    code = ErrorCode.RECORDS_UNAVAILABLE
    retryable = True


class RowState(StrEnum):
    """The life of a row. All but the first three are ends."""

    PENDING = "pending"
    RUNNING = "running"
    REVIEW = "review"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    VERIFICATION_FAILED = "verification_failed"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the row goes nowhere from here by itself."""
        return self not in {RowState.PENDING, RowState.RUNNING, RowState.REVIEW}


class RunState(StrEnum):
    """The life of a run. A run with any row that did not succeed never ends as plain *completed*."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_FAILURES = "completed_with_failures"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"

    @property
    def ended(self) -> bool:
        """Whether the run goes nowhere from here by itself."""
        return self not in {RunState.SUBMITTED, RunState.RUNNING, RunState.PAUSED}


class StepState(StrEnum):
    """How far a step is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunOpening(Contract):
    """A run that begins: its rows are recorded as pending.

    Args:
        budget_usd: Most that its model calls may cost; ``None`` for no limit of its own.
        policy: Digest of the version of the policy that it keeps to; ``None`` follows the newest.
    """

    run: str
    plan: Digest
    title: str
    submitter: str = ""
    workflow_run_id: str = ""
    started_at: str
    budget_usd: float | None = None
    policy: Digest | None = None


class RunGrowth(Contract):
    """Rows that were added to a run.

    Args:
        plan: Digest of the plan with them.
        by: Id of the row that planned them.
        rows: Their ids.
    """

    run: str
    plan: Digest
    by: str
    rows: tuple[str, ...]
    at: str


class RunChange(Contract):
    """A run's new state. ``sequence`` counts the run's changes: a late retry never overwrites a newer one."""

    run: str
    state: RunState
    sequence: NonNegativeInt
    at: str
    concurrency: PositiveInt | None = None


class RowChange(Contract):
    """A row's new state without a result: review opened, blocked, skipped, cancelled, pending again."""

    row: str
    state: RowState
    attempt: PositiveInt = 1
    code: str = ""
    message: str = ""


class RowChanges(Contract):
    """State changes of several rows of one run."""

    run: str
    at: str
    changes: tuple[RowChange, ...]


class StepRecord(Contract):
    """One step of a row as it happened.

    Args:
        summary: One line for a person.
        detail: Facts for a program; small, larger things by digest.
    """

    step: str
    ordinal: NonNegativeInt = 0
    state: StepState = StepState.DONE
    started_at: str = ""
    finished_at: str = ""
    summary: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class RowRecord(Contract):
    """A row that has ended or waits for a review, with all that led there.

    Args:
        trial: Which variant of which experiment it ran as, if it took part in one.
        similar: Requests whose answers served for similar ones of the row.
    """

    step: StepRef
    state: RowState
    generation: NonNegativeInt = 0
    started_at: str
    finished_at: str | None
    code: str = ""
    message: str = ""
    output: Text | None = None
    model: str = ""
    prompt_tokens: NonNegativeInt = 0
    completion_tokens: NonNegativeInt = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    cached_calls: NonNegativeInt = 0
    similar: tuple[Similar, ...] = ()
    envelope: Digest | None = None
    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    files: Snapshot | None = None
    trial: Trial | None = None


class RowAsked(Contract):
    """Which row's end is asked for."""

    run: str
    row: str


class RowEnding(Contract):
    """How a row stands in the records; the output and the files by reference."""

    state: RowState
    output: Text | None = None
    files: Snapshot | None = None


class Steering(Contract):
    """What somebody has a run do.

    Args:
        signal: Name of the signal that says so.
        act: Names this act: the log is told of it once, whoever tells it first.
        by: Who; empty where the signal names nobody.
        detail: What the signal says besides.
    """

    run: str
    signal: str
    act: str
    by: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class Recorded(Contract):
    """Acknowledges a record."""

    rows: NonNegativeInt = 0


class StepEvent(Contract):
    """A step that started or ended just now, for those who watch."""

    step: StepRef
    state: StepState
    at: str
    message: str = ""


class StepJournal(Protocol):
    """Takes step events as they happen. Best effort: the row's record is the truth."""

    def note(self, event: StepEvent) -> None:
        """Take an event; returns at once."""
        ...


class RecordKeeper(Protocol):
    """The writing side of the records database. Every call may be repeated without effect."""

    async def open_run(self, opening: RunOpening) -> None:
        """Insert the run unless it is there."""
        ...

    async def open_rows(self, run: str, rows: list[dict[str, Any]]) -> None:
        """Insert pending rows unless they are there."""
        ...

    async def grow_run(self, growth: RunGrowth, rows: list[dict[str, Any]], waiting: dict[str, list[str]]) -> None:
        """Insert pending rows that were planned, unless they are there, and have others wait for them.

        Args:
            growth: What was added.
            rows: Those rows.
            waiting: What the rows depend on that wait for them, by id.
        """
        ...

    async def change_run(self, change: RunChange) -> None:
        """Set a run's state unless a newer change is recorded."""
        ...

    async def change_rows(self, changes: RowChanges) -> None:
        """Set rows' states."""
        ...

    async def record_row(self, record: RowRecord) -> None:
        """Write a row's end and its steps."""
        ...

    async def steered(self, steering: Steering) -> None:
        """Tell the audit log that somebody steers a run, unless it was told."""
        ...

    async def row_ending(self, asked: RowAsked) -> RowEnding:
        """Return how a row that is recorded stands."""
        ...
