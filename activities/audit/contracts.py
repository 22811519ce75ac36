"""What the audit log holds, and what its verification finds."""

from enum import StrEnum
from typing import Any, Final

from pydantic import Field, NonNegativeInt

from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

# What the first entry names as the hash of the entry before it.
GENESIS: Final = 64 * "0"
NOBODY: Final = "nobody"
POLICY: Final = "policy"
# Who starts what Temporal starts by a schedule.
CALENDAR: Final = "calendar"
SCANNERS: Final = "scanners"
EXPERIMENTS: Final = "experiments"


class AuditKind(StrEnum):
    """What happened. The names stand in exports and never change."""

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGIN_THROTTLED = "login.throttled"
    LOGIN_LINK_CREATED = "login_link.created"
    LOGIN_LINK_REDEEMED = "login_link.redeemed"
    SESSION_REVOKED = "session.revoked"
    SESSION_REUSED = "session.reused"
    TOKEN_CREATED = "token.created"  # noqa: S105 -- a name, no secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 -- likewise
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    ADMIN_KEPT = "user.admin_kept"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 -- likewise
    PASSWORD_RESET = "password.reset"  # noqa: S105 -- likewise
    ACCESS_DENIED = "access.denied"
    RUN_SUBMITTED = "run.submitted"
    RUN_PAUSED = "run.paused"
    RUN_RESUMED = "run.resumed"
    RUN_CANCELLED = "run.cancelled"
    RUN_RETRIED = "run.retried"
    RUN_SKIPPED = "run.skipped"
    RUN_CONCURRENCY = "run.concurrency"
    RUN_GROWN = "run.grown"
    CACHE_CLEARED = "cache.cleared"
    BUDGET_ALLOWED = "budget.allowed"
    PAYLOADS_DECODED = "payloads.decoded"
    POLICY_DECIDED = "policy.decided"
    POLICY_LOADED = "policy.loaded"
    POLICY_REFUSED = "policy.refused"
    SCAN_STARTED = "scan.started"
    SCAN_ENDED = "scan.ended"
    SCAN_FOUND = "scan.found"
    OUTPUT_RATED = "output.rated"
    PAIRS_EXPORTED = "pairs.exported"
    REFLECTION_STARTED = "reflection.started"
    PROMPT_APPROVED = "prompt.approved"
    EXPERIMENT_CREATED = "experiment.created"
    EXPERIMENT_PAUSED = "experiment.paused"
    EXPERIMENT_RESUMED = "experiment.resumed"
    EXPERIMENT_DECIDED = "experiment.decided"
    EXPERIMENT_ENDED = "experiment.ended"
    REVIEW_ACTED = "review.acted"
    REVIEW_DECIDED = "review.decided"
    SECRET_SET = "secret.set"  # noqa: S105 -- likewise
    SECRET_READ = "secret.read"  # noqa: S105 -- likewise
    SECRET_ROTATED = "secret.rotated"  # noqa: S105 -- likewise
    SECRET_DESTROYED = "secret.destroyed"  # noqa: S105 -- likewise
    SECRET_DELETED = "secret.deleted"  # noqa: S105 -- likewise
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    AUDIT_EXPORTED = "audit.exported"


class AuditMissing(PrismError):
    """The database has no audit log."""

    code = ErrorCode.NOT_FOUND


class AuditUnreadable(PrismError):
    """A file is no export of the audit log."""

    code = ErrorCode.BAD_REQUEST


class AuditTampered(PrismError):
    """The log does not continue what was signed, so nothing further is signed."""

    code = ErrorCode.AUDIT_TAMPERED


class AuditEvent(Contract):
    """Something to be written into the log.

    Args:
        actor: Who did it; empty means whoever is acting now, see :func:`activities.audit.actor.acting`.
        subject: What it was done to, such as ``run/monday`` or ``user/ana``.
        detail: Facts: texts, whole numbers, truth values, lists and objects of them; never a secret.
        key: Under one key only the first event is written; empty means that every event counts.
    """

    kind: AuditKind
    actor: str = ""
    subject: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)
    key: str = ""


class AuditEntry(Contract):
    """An entry of the log.

    Args:
        sequence: Its place, from 1 without gaps.
        at: When it was written.
        previous: Hash of the entry before it.
        hash: SHA-256 over all the other fields.
    """

    sequence: int
    at: str
    actor: str
    kind: str
    subject: str
    detail: dict[str, Any]
    key: str
    previous: str
    hash: str


class AuditFilter(Contract):
    """Which entries are wanted; empty fields want all.

    Args:
        kinds: Kinds, or their beginnings up to a dot, such as ``login``.
        since: First moment, ISO 8601 in UTC.
        until: First moment that is not wanted any more.
    """

    kinds: tuple[str, ...] = ()
    actor: str = ""
    since: str = ""
    until: str = ""

    @property
    def empty(self) -> bool:
        """Whether every entry is wanted."""
        return not (self.kinds or self.actor or self.since or self.until)


class Checkpoint(Contract):
    """A signed word on how the log stood: its last entry then, and that entry's hash."""

    sequence: NonNegativeInt
    hash: str
    at: str
    keyid: str
    signature: str


class AuditFault(Contract):
    """One thing that is wrong with the log.

    Args:
        sequence: The entry it was found at.
        what: What is wrong, for a person.
        found: What stands there.
        expected: What should.
    """

    sequence: int
    what: str
    found: str = ""
    expected: str = ""


class AuditReport(Contract):
    """What a verification found.

    Args:
        entries: How many entries were read.
        first: Sequence of the first one; 0 without entries.
        last: Sequence of the last one.
        head: The last one's hash.
        anchored: Sequence up to which a valid signature vouches for the log.
        anchored_at: When that was signed.
        checkpoints: How many signed checkpoints were checked.
        keyid: The key whose signatures count.
        complete: Whether it was the whole log; of a filtered export single entries are proven and nothing between.
        faults: What is wrong, the first thousand of it.
        faults_found: How much is wrong.
    """

    valid: bool
    entries: int
    first: int = 0
    last: int = 0
    head: str = GENESIS
    anchored: int = 0
    anchored_at: str = ""
    checkpoints: int = 0
    keyid: str = ""
    complete: bool = True
    faults: tuple[AuditFault, ...] = ()
    faults_found: int = 0
