"""What the records say of runs, rows, steps and events: the answers of the reading side."""

import json
from typing import Any

from pydantic import Field

from activities.artifacts.files import StoredFile
from activities.llm.contracts import Similar
from activities.records.contracts import RowState, RunState, StepState
from activities.verification.contracts import OUTPUT_SCHEMA
from temporal.contract import Contract


class RunView(Contract):
    """A run as recorded.

    Args:
        saved_usd: What calls would have cost that earlier answers served for; ``cached_calls`` says how many.
        counts: Rows by state; states without rows are left out.
        rows_per_second: Ended rows by elapsed time.
        eta_seconds: Estimate until the last row ends, at this rate.
        policy: Digest of the version of the policy that it keeps to; ``None`` follows the newest.
        grown: Digest of the plan with the rows that were added to it since; ``None`` where none were.
        calls: Model calls that wrote its rows.
        local_calls: Those of them that local models answered.
    """

    run: str
    title: str
    plan: str
    submitter: str = ""
    state: RunState
    sequence: int = 0
    total: int = 0
    concurrency: int | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    counts: dict[RowState, int] = Field(default_factory=dict)
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    cached_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    rows_per_second: float | None = None
    eta_seconds: float | None = None
    policy: str | None = None
    grown: str | None = None
    calls: int = 0
    local_calls: int = 0

    @property
    def local_share(self) -> float | None:
        """What local models took of its calls; ``None`` before the first."""
        return self.local_calls / self.calls if self.calls else None

    @property
    def cursor(self) -> str:
        """Where the page of runs after this one begins."""
        return f"{self.created_at}~{self.run}"


class RowView(Contract):
    """A row as recorded, without its steps.

    Args:
        agent: Who the model is asked to be.
        prompt_version: Short digest of agent and template: rows that have it alike are asked in the same words.
        planned_by: Id of the row that planned it; empty for a row of the catalog.
        experiment: Experiment that it took part in; empty for none.
        variant: As which of its variants it ran.
        unit: What that variant sticks to.
        similar: Requests that were not the same, and whose answers served from the cache.
        output: The output where it is small, else ``None``; ``output_digest`` names it in any case.
        verdicts: Criterion, basis (proven, judged, unverified), passed and reason of each criterion.
        files: What the row's program left; each file is an artifact.
    """

    run: str
    row: str
    position: int
    board: str = ""
    task: str = ""
    title: str = ""
    objective: str = ""
    risk: str = ""
    agent: str = ""
    prompt_version: str = ""
    planned_by: str = ""
    experiment: str = ""
    variant: str = ""
    unit: str = ""
    upstream: list[str] = Field(default_factory=list)
    state: RowState
    attempt: int = 1
    code: str = ""
    message: str = ""
    output_digest: str | None = None
    output: str | None = None
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    cached_calls: int = 0
    similar: list[Similar] = Field(default_factory=list)
    envelope: str | None = None
    verdicts: list[dict[str, Any]] = Field(default_factory=list)
    findings: list[dict[str, Any]] = Field(default_factory=list)
    files: list[StoredFile] = Field(default_factory=list)
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def shown_output(self) -> str | None:
        """The output as people read it: JSON that fits its schema with a line for each field."""
        fits = any(one.get("criterion") == OUTPUT_SCHEMA and one.get("passed") for one in self.verdicts)
        if self.output is None or not fits:
            return self.output
        try:
            return json.dumps(json.loads(self.output), indent=2, ensure_ascii=False)
        except ValueError:
            # A criterion of free text may be called so too.
            return self.output


class RowNode(Contract):
    """A row as it stands in the graph of its run."""

    row: str
    board: str = ""
    title: str = ""
    state: RowState
    upstream: list[str] = Field(default_factory=list)


class StepView(Contract):
    """A step of a row, of one execution of it."""

    attempt: int
    step: str
    ordinal: int
    state: StepState
    started_at: str = ""
    finished_at: str = ""
    summary: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class RequestView(Contract):
    """A request to a provider that failed, for a step of a row. Nothing is counted as its price: nobody said one.

    Args:
        attempt: Which execution of the row asked.
        number: Which of the call's requests it was, from 1, wherever they went.
        deployment: Whom, as the models file calls it.
        model: What it is, as ``provider/model``; empty where the gateway itself ended in the middle.
        fault: Class of the fault.
        status: HTTP status of the answer, where there was one.
    """

    attempt: int = 1
    step: str
    ordinal: int = 0
    number: int = 1
    deployment: str = ""
    model: str = ""
    fault: str
    status: int | None = None
    message: str = ""
    milliseconds: int = 0
    at: str


class RowDetail(RowView):
    """A row with every step of every execution, and every request for them that a provider failed."""

    steps: list[StepView] = Field(default_factory=list)
    failed_requests: list[RequestView] = Field(default_factory=list)


class RowSpan(Contract):
    """A row that has begun, with the steps of its newest execution: what its run's timeline needs."""

    row: str
    title: str = ""
    state: RowState
    attempt: int = 1
    started_at: str | None = None
    finished_at: str | None = None
    steps: list[StepView] = Field(default_factory=list)


class EventView(Contract):
    """Something that happened. ``kind`` is ``run``, ``row``, ``step``, ``review`` or ``sealed``."""

    id: int
    run: str
    row: str = ""
    kind: str
    at: str
    body: dict[str, Any] = Field(default_factory=dict)


class NotificationView(Contract):
    """A message in somebody's inbox."""

    key: str
    run: str
    row: str = ""
    recipient: str
    title: str
    body: str = ""
    severity: str = "info"
    at: str
    read_at: str | None = None
    round: int = 0

    @property
    def cursor(self) -> str:
        """Where the page of notifications after this one begins."""
        return f"{self.at}~{self.key}~{self.recipient}"
