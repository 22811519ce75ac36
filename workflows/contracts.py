"""What goes into and comes out of the workflows; the public contract of ``temporal workflow start|signal``."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from activities.artifacts.contracts import Digest, Text
from activities.artifacts.files import Snapshot
from activities.plans.contracts import RowHead
from activities.prompts.contracts import NamedText
from activities.records.contracts import RowState, RunState, StepRecord
from activities.reflections.contracts import ReflectionState, ReflectRequest
from activities.reviews.contracts import ReviewOutcome, ReviewTerms
from temporal.contract import Contract

DEFAULT_CONCURRENCY = 16
# A whole prompt of the greatest length, and the reasons.
PROPOSAL_TOKENS = 4_000
# What a row's process is like that begins now. A row under way goes on under the revision it began with: its input
# says which. This takes no event of history, where a patch marker takes two in every row.
# 1: rounds of a review have terms.
# 2: a text that a reviewer wrote is judged, and looked at again where it fails what the text before it did not.
ROW_REVISION = 2
# Likewise for a run.
# 1: its end is sealed, and what is asked of it meanwhile is still heard.
# 2: a row that is wanted again just when it ends is not missed, and the audit log is told who steers.
RUN_REVISION = 2


class RunOptions(Contract):
    """Settings of a run, fixed when it starts.

    Args:
        concurrency: How many rows are under way at once; a signal changes it.
        judge_group: Model group that judges free-text criteria; empty leaves them unverified.
        max_tokens: Longest answer of one model call.
        tool_rounds: How often a row's model may call tools before it has to answer, for each text that it writes.
        tool_calls: How many calls that may be in all; further ones are told to be too many.
        budget_usd: Most that all model calls of the run may cost; then it pauses and a person is asked for more.
        policy: Digest of the version of the policy that decides, whatever is newer; ``None`` follows the newest.
    """

    concurrency: PositiveInt = DEFAULT_CONCURRENCY
    judge_group: str = ""
    max_tokens: PositiveInt = 512
    tool_rounds: PositiveInt = 8
    tool_calls: PositiveInt = 32
    budget_usd: PositiveFloat | None = None
    policy: Digest | None = None


class RowsOffer(Contract):
    """Approved rows that a row has planned: its run is to take them in, and to answer.

    Args:
        index: Place of the row that planned them.
        row: Its id.
        output: Digest of the output in which it did.
        proposal: Digest of the ``Proposal``.
    """

    index: NonNegativeInt
    row: str
    output: Digest
    proposal: Digest


class Carried(Contract):
    """What a run hands to its continuation (continue-as-new). One letter a row, references for the rest.

    Args:
        states: One letter per row, by plan index.
        attempts: Executions started, for rows executed more than once.
        generations: Fresh sets of model calls, for rows whose answers were refused.
        outputs: Outputs that rows still to come depend on.
        notes: Outputs that the run remembers, by key.
        unmet: For each of those, how many dependants have not succeeded.
        adrift: Rows under way whose end arrives by signal.
        again: Those that are wanted again as soon as it has.
        sequence: Number of recorded changes of the run.
        offers: Rows that were planned and not taken in yet.
    """

    states: str
    attempts: dict[int, int] = Field(default_factory=dict)
    generations: dict[int, int] = Field(default_factory=dict)
    outputs: dict[int, NamedText] = Field(default_factory=dict)
    unmet: dict[int, int] = Field(default_factory=dict)
    notes: dict[str, NamedText] = Field(default_factory=dict)
    adrift: tuple[RowHead, ...] = ()
    again: tuple[NonNegativeInt, ...] = ()
    next_page: NonNegativeInt = 0
    paused: bool = False
    concurrency: PositiveInt = DEFAULT_CONCURRENCY
    sequence: NonNegativeInt = 0
    offers: tuple[RowsOffer, ...] = ()


class CatalogRun(Contract):
    """Input of CatalogWorkflow.

    Args:
        run: Run id; the workflow id is ``catalog/<run>``.
        plan: Digest of the compiled catalog in the artifact store.
        grown: Digest of that plan with the rows that were added to it since; ``None`` where none were.
        total: How many rows there are, those that were added among them.
        retry: Start an ended run again: its failed rows and what they blocked.
        retry_rows: Only these of them; none means all.
        revision: Which process the run passes through; see ``RUN_REVISION``.
    """

    run: str
    plan: Digest
    title: str = ""
    total: NonNegativeInt
    page_rows: PositiveInt
    submitter: str = ""
    options: RunOptions = RunOptions()
    retry: bool = False
    retry_rows: tuple[str, ...] = ()
    carried: Carried | None = None
    revision: NonNegativeInt = 0
    grown: Digest | None = None

    @property
    def current(self) -> Digest:
        """Digest of the plan as it is now."""
        return self.grown or self.plan


class RunResult(Contract):
    """How a run ended."""

    run: str
    state: RunState
    counts: dict[RowState, NonNegativeInt]


class ReflectionRun(Contract):
    """Input of ReflectionWorkflow.

    Args:
        reflect: What is to be reflected on.
        options: Settings of the run whose row is the proposal.
    """

    reflect: ReflectRequest
    options: RunOptions = RunOptions(max_tokens=PROPOSAL_TOKENS)


class ReflectionResult(Contract):
    """How a reflection ended.

    Args:
        version: Digest of the definition that a person approved.
    """

    state: ReflectionState
    message: str = ""
    version: Digest | None = None


class RowRun(Contract):
    """Input of RowWorkflow.

    Args:
        attempt: Which execution of the row this is, from 1.
        generation: Which fresh set of model calls; the same generation never pays for a call twice.
        upstream: Outputs of the rows this one depends on, and the files that they left, by reference.
        notes: What the run remembered when the row was started, by reference.
        revision: Which process the row passes through; see ``ROW_REVISION``.
        grown: Digest of the plan with the rows that were added to it since; ``None`` where none were.
    """

    run: str
    plan: Digest
    index: NonNegativeInt
    row: str
    submitter: str = ""
    attempt: PositiveInt = 1
    generation: NonNegativeInt = 0
    upstream: tuple[NamedText, ...] = ()
    notes: tuple[NamedText, ...] = ()
    options: RunOptions = RunOptions()
    revision: NonNegativeInt = 0
    grown: Digest | None = None

    @property
    def current(self) -> Digest:
        """Digest of the plan as it was when the row was started."""
        return self.grown or self.plan


class RowResult(Contract):
    """How a row ended. A row that did not succeed fails its workflow with this as the error's detail.

    Args:
        remember: Key under which the run remembers the output; empty for none.
    """

    index: NonNegativeInt
    row: str
    state: RowState
    code: str = ""
    message: str = ""
    output: Text | None = None
    files: Snapshot | None = None
    remember: str = ""


class Steered(Contract):
    """What every signal that steers a run may say besides.

    Args:
        by: Who steers.
        act: Names the act in the audit log, where whoever sends the signal tells the log as well.
    """

    by: str = ""
    act: str = ""


class RowSelection(Steered):
    """Rows a signal is about; none means all it can apply to."""

    rows: tuple[str, ...] = ()


class Concurrency(Steered):
    """A new limit of rows under way at once."""

    limit: PositiveInt


class Operator(Steered):
    """Who pauses or resumes a run, and why."""

    reason: str = ""


class Detach(Contract):
    """The parent continues as new: report the row's end by signal."""


class RowsTaken(Contract):
    """The answer of a run to such an offer.

    Args:
        proposal: Which one it is about.
        refused: Why the rows were not taken in; empty where they were.
    """

    proposal: Digest
    refused: str = ""


class BudgetFreed(Contract):
    """A row that a budget stopped may go on.

    Args:
        stop: Number of the stop, as in the details of the error.
    """

    stop: NonNegativeInt


class RunProgress(Contract):
    """Answer of CatalogWorkflow's ``progress`` query."""

    state: RunState
    counts: dict[RowState, NonNegativeInt]
    concurrency: PositiveInt
    running: tuple[str, ...] = ()


class RowProgress(Contract):
    """Answer of RowWorkflow's ``progress`` query.

    Args:
        review: Why a person must decide, while one must.
        outcome: Where the review stands, once there was one.
        terms: Who may decide, and until when, while somebody must.
    """

    state: RowState
    step: str = ""
    steps: tuple[StepRecord, ...] = ()
    review: tuple[str, ...] = ()
    outcome: ReviewOutcome | None = None
    terms: ReviewTerms | None = None
