"""A review as it is opened, decided and remembered; the public contract of the update ``decide`` and its signals."""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from activities.artifacts.contracts import Digest, Text
from catalogs.row import CatalogRow, OnDeadline
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidFile

DEFAULT_ROUNDS = 3


class InvalidApprovalRules(InvalidFile):
    """The approval rules cannot be used; ``details["faults"]`` lists why."""

    what = "approval rules"


class ReviewState(StrEnum):
    """Where a review stands; the value is the row's ``PrismReview`` search attribute."""

    NONE = "none"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CHANGES_REQUESTED = "changes_requested"
    EDITED = "edited"
    CANCELLED = "cancelled"


class DecisionKind(StrEnum):
    """What a person can do with a review. The first five are votes; of each person one counts."""

    APPROVE = "approve"
    EDIT = "edit"
    ANSWER = "answer"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    REASSIGN = "reassign"
    CLAIM = "claim"
    RELEASE = "release"
    COMMENT = "comment"

    @property
    def vote(self) -> bool:
        """Whether it bears on the outcome."""
        return self not in {DecisionKind.REASSIGN, DecisionKind.CLAIM, DecisionKind.RELEASE, DecisionKind.COMMENT}


class ReviewDecision(Contract):
    """What a person decides. Whoever sends it to Temporal attests ``by`` and ``roles``: the API does so after a login.

    Args:
        by: The person.
        kind: What they do; the signals ``approve``, ``reject`` and ``request_changes`` set it themselves.
        comment: A reason, feedback or remark; required to reject, to request changes and to comment.
        round: The round they looked at; ``None`` takes the one that is open.
        roles: Roles of the person beside those the approval rules name.
        output: The edited text, for ``edit``; a plain string too, as who signals by hand writes it.
        answers: What was filled in, for ``answer``.
        reviewers: Who is to decide instead, for ``reassign``; persons and ``role:<name>``.
        members: Persons of the roles among them.
        via: The way it came: ``console``, ``api``, ``link``, ``signal`` and so on.
    """

    by: str
    kind: DecisionKind = DecisionKind.APPROVE
    comment: str = ""
    round: PositiveInt | None = None
    roles: tuple[str, ...] = ()
    output: Text | None = None
    answers: dict[str, Any] | None = None
    reviewers: tuple[str, ...] = ()
    members: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    via: str = ""

    @field_validator("output", mode="before")
    @classmethod
    def _packed(cls, given: Any) -> Any:  # noqa: ANN401 -- whatever an outside system sent
        return Text.by_value(given) if isinstance(given, str) else given


class ReviewOutcome(Contract):
    """Where a review stands after a decision was taken.

    Args:
        approvals: Approvals that count.
        needed: How many it takes.
    """

    state: ReviewState
    round: PositiveInt
    approvals: NonNegativeInt = 0
    needed: PositiveInt = 1
    message: str = ""


class ReviewTerms(Contract):
    """Who may decide, how many must, and until when; fixed when a round opens.

    Args:
        reviewers: Persons and ``role:<name>``; none means anyone who may review.
        members: Persons of each role, as the approval rules name them.
        approvals: How many persons must approve.
        everyone: Each of ``reviewers`` must be represented by a person of its own.
        seats: Which reviewers that are, where all of them are asked: whom the round was escalated to may take anybody's
            place, one each, and has none of their own. Empty too in rounds that were opened before there were seats.
        rejections: How many persons must reject.
        unanimous: Each of ``reviewers`` must be represented by a person of its own who rejects.
        four_eyes: The submitter does not decide.
        rounds: How many rounds there can be.
        form: JSON schema of what is to be filled in.
        remind_at: When reviewers are reminded, ISO 8601 UTC.
        escalate_at: When ``escalate_to`` may decide too.
        due_at: When ``on_deadline`` takes effect.
        rule: Name of the approval rule behind it.
    """

    reviewers: tuple[str, ...] = ()
    members: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    approvals: PositiveInt = 1
    everyone: bool = False
    seats: tuple[str, ...] = ()
    rejections: PositiveInt = 1
    unanimous: bool = False
    four_eyes: bool = False
    rounds: PositiveInt = DEFAULT_ROUNDS
    form: dict[str, Any] | None = None
    remind_at: str | None = None
    escalate_at: str | None = None
    escalate_to: tuple[str, ...] = ()
    due_at: str | None = None
    on_deadline: OnDeadline = OnDeadline.REJECT
    rule: str = ""

    @property
    def needed(self) -> int:
        """How many persons it takes to approve."""
        return max(self.approvals, len(self.seats or self.reviewers)) if self.everyone else self.approvals

    @property
    def people(self) -> tuple[str, ...]:
        """Whom to tell: the persons, those behind the roles, and roles nobody is named for."""
        found: dict[str, None] = {}
        for reviewer in self.reviewers:
            found.update(dict.fromkeys(self.members.get(reviewer) or (reviewer,)))
        return tuple(found)


class ReviewOpening(Contract):
    """A round that is about to open.

    Args:
        round: Which, from 1.
        row: The row as planned.
        submitter: Who submitted the run.
        four_eyes: The policy wants somebody else than the submitter.
        silence_approves: The policy lets silence approve.
        opened_at: The workflow's time, ISO 8601 UTC.
    """

    step: StepRef
    round: PositiveInt
    row: CatalogRow
    submitter: str = ""
    four_eyes: bool = False
    silence_approves: bool = False
    opened_at: str


class ReviewEntry(Contract):
    """Something that happened in a review.

    Args:
        kind: A ``DecisionKind``, or ``opened``, ``reminded``, ``escalated``, ``expired``.
        round: When it happened.
    """

    kind: str
    round: PositiveInt
    at: str
    by: str = ""
    comment: str = ""
    via: str = ""
    output: Digest | None = None
    answers: dict[str, Any] | None = None
    reviewers: tuple[str, ...] = ()


class ReviewRecord(Contract):
    """A round of a review as it stands, for the records.

    Args:
        output: The text that is decided on.
        decided_output: What an edit or answers made of it.
        sequence: Counts the changes of the round: a late repetition never overwrites a newer one.
    """

    step: StepRef
    round: PositiveInt
    state: ReviewState
    reasons: tuple[str, ...] = ()
    terms: ReviewTerms
    approvals: NonNegativeInt = 0
    claimed_by: str = ""
    escalated: bool = False
    overdue: bool = False
    output: Digest | None = None
    decided_output: Digest | None = None
    opened_at: str
    decided_at: str | None = None
    decided_by: str = ""
    comment: str = ""
    entries: tuple[ReviewEntry, ...] = ()
    sequence: NonNegativeInt = 0


class ReviewRecorded(Contract):
    """What became of a record: ``written`` is false when a newer one was there."""

    written: bool = True


class AnswersRequest(Contract):
    """Answers to a form that are to become part of the output."""

    step: StepRef
    output: Text
    answers: dict[str, Any]
    by: str


class ReviewRegister(Protocol):
    """Keeps what the inbox and the review pages show."""

    async def record(self, record: ReviewRecord) -> bool:
        """Write a round as it stands, unless a newer state of it is written; return whether it was."""
        ...


class ApprovalPlanner(Protocol):
    """Knows the approval rules."""

    def reasons(self, row: CatalogRow) -> tuple[str, ...]:
        """Return why the rules want a row reviewed; empty when they do not."""
        ...

    def terms(self, opening: ReviewOpening) -> ReviewTerms:
        """Return who decides on a round, and until when."""
        ...
