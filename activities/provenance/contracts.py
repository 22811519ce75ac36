"""Signed statements of how an output came to be."""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Digest
from activities.artifacts.files import Snapshot
from catalogs.plan import Addition
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode


class ProvenanceInvalid(PrismError):
    """An envelope does not prove what it is said to prove."""

    code = ErrorCode.PROVENANCE_INVALID


class SigningKeyUnusable(InvalidSettings):
    """The signing key is missing, unreadable, too widely readable, or no Ed25519 key."""


class SignerUnavailable(PrismError):
    """What holds the signing key does not answer, or refuses for now."""

    code = ErrorCode.SIGNER_UNAVAILABLE
    retryable = True


class Act(StrEnum):
    """What can be done to an output."""

    WRITTEN = "written"
    STRUCTURED = "structured"
    SCANNED = "scanned"
    EXECUTED = "executed"
    CALLED = "called"
    JUDGED = "judged"
    EDITED = "edited"
    CHOSEN = "chosen"


class CustodyAct(Contract):
    """One link of an output's chain of custody: who did what to which text.

    Args:
        by: A model's deployment, scanners and versions, a language of the sandbox, a tool, a policy, a person, a vote.
        text: The text that was looked at or chosen; of what writes or edits, the text that it made.
        before: The text that was edited, or put in canonical form.
        prompt: What the model was asked.
        program: What ran; of a call, the tool's definition.
        arguments: What a tool was called with.
        outcome: How it ended, in a word or two.
        result: Digest of all that is known of it (canonical JSON).
        round: The round of the review in which a person edited.
        found: List of the files that the program found.
        files: List of the files that it left, or that were scanned.
        agent: Name and version of the agent whose turn it was.
        definition: Digest of that agent's definition.
        template: Version of the words of the prompt, or digest of the row's own template.
    """

    act: Act
    by: str
    text: Digest
    before: Digest | None = None
    prompt: Digest | None = None
    program: Digest | None = None
    arguments: Digest | None = None
    stdout: Digest | None = None
    stderr: Digest | None = None
    outcome: str = ""
    result: Digest | None = None
    round: PositiveInt | None = None
    found: Digest | None = None
    files: Digest | None = None
    agent: str = ""
    definition: Digest | None = None
    template: str = ""


class UsedText(Contract):
    """A text that was put to a prompt besides outputs: a passage of a document, a note of the run."""

    name: str
    digest: Digest


class UpstreamOutput(Contract):
    """The output of a row that this one depends on, and the list of the files that it left."""

    row: str
    output: Digest
    files: Digest | None = None


class SealRequest(Contract):
    """What is to be signed: digests of everything that went into an output.

    Args:
        output: Digest of the output, the statement's first subject.
        row_digest: Digest of the row as planned (canonical JSON).
        experiment: Experiment, variant, unit, and digest of the variant's definition; ``None`` where it ran as planned.
        prompts: Digests of the prompts, in the order of the calls.
        models: Deployments that answered, in the order of the calls.
        decision_digest: Digest of the policy decision (canonical JSON).
        policy: Digest of the policy bundle.
        code_result: Digest of the sandbox result (canonical JSON), if code ran.
        verdicts: Criterion, basis and outcome of each verification verdict.
        custody: What was done to the output, in order, from the model's first word to the text that left.
        upstream: Outputs of the rows it depends on.
        used: Passages and notes that were put to its prompts, as far as these had room.
        submitter: Who submitted the run.
        generation: Which fresh set of model calls.
        files: What the row's program left; each file is a further subject.
        route: Which model groups were chosen to write it, why, and which one wrote it; ``None`` where none was chosen.
        review: Who decided what in which round, and the digest of a text that was edited, if persons decided.
        origin: With what the row was added to the plan, if another row has planned it.
        proposal: Digest of the rows that the output proposed and that were added.
    """

    step: StepRef
    output: Digest
    row_digest: Digest
    plan: Digest
    prompts: tuple[Digest, ...] = ()
    models: tuple[str, ...] = ()
    decision_digest: Digest
    policy: Digest
    code_result: Digest | None = None
    verdicts: tuple[dict[str, str], ...] = ()
    review: dict[str, Any] | None = None
    started_at: str = ""
    finished_at: str = ""
    custody: tuple[CustodyAct, ...] = ()
    upstream: tuple[UpstreamOutput, ...] = ()
    used: tuple[UsedText, ...] = ()
    submitter: str = ""
    generation: NonNegativeInt = 0
    files: Snapshot | None = None
    route: dict[str, Any] | None = None
    origin: Addition | None = None
    proposal: Digest | None = None
    experiment: dict[str, str] | None = None


class Seal(Contract):
    """A signed envelope in the artifact store.

    Args:
        envelope: Digest of the DSSE envelope (JSON).
        keyid: Key that signed it.
    """

    envelope: Digest
    keyid: str


class Signer(Protocol):
    """Signs DSSE payloads with an Ed25519 key, wherever that is."""

    async def sign(self, payload: bytes, payload_type: str) -> bytes:
        """Return the DSSE envelope (JSON bytes) over a payload, in the form of ``envelope_bytes``.

        Raises:
            SignerUnavailable: What holds the key does not answer now.
        """
        ...


class Countersigner(Protocol):
    """Signs the seals of runs besides the key, in the name of an identity."""

    async def countersign(self, statement: bytes) -> bytes:
        """Return the signature over an in-toto statement: a Sigstore bundle (JSON, one line).

        Raises:
            SignerUnavailable: It is not signed, and why; nothing stands in for it.
        """
        ...


class CountersignatureVerifier(Protocol):
    """Checks such signatures, offline.

    Args:
        identity: Who must have signed.
    """

    identity: str

    def payload(self, bundle: bytes) -> bytes:
        """Return the statement that was signed.

        Raises:
            ProvenanceInvalid: The signature does not hold, or is somebody else's.
        """
        ...
