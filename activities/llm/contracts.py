"""Model calls: what is asked of which model group, what came back and what it cost."""

import json
from typing import Protocol

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Text, digest_of
from activities.verification.contracts import Verdict
from catalogs.row import Cache
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidFile, InvalidSettings, PrismError
from temporal.names import ErrorCode


class ModelRefused(PrismError):
    """The provider will answer this request the same way each time (a 4xx of our own making)."""

    code = ErrorCode.MODEL_REFUSED


class UnknownModel(PrismError):
    """No configured model group has this name."""

    code = ErrorCode.UNKNOWN_MODEL


class PromptTooLong(ModelRefused):
    """A prompt is longer than a model reads; one that reads more may answer."""


class ModelMisconfigured(ModelRefused):
    """A provider takes a deployment's key, or its name, for wrong; others may answer."""


class AttemptsExhausted(PrismError):
    """The row's attempts are used up, whichever providers they went to. Another one would be one too many."""

    code = ErrorCode.MODEL_UNAVAILABLE


class IdempotencyMismatch(PrismError):
    """The key of a call was used for another request before: its answer is not this one's."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH


class InvalidModels(InvalidFile):
    """The models cannot be used; ``details["faults"]`` lists why."""

    what = "models"


class InvalidPrices(InvalidFile):
    """The prices cannot be used; ``details["faults"]`` lists why."""

    what = "prices"


class InvalidCache(InvalidSettings):
    """The address of the cache of answers cannot be used."""


class ModelUnavailable(PrismError):
    """The provider could not answer now: timeout, 429, 5xx, connection lost."""

    code = ErrorCode.MODEL_UNAVAILABLE
    retryable = True


class ModelRequest(Contract):
    """One paid call.

    Args:
        group: Model group; empty means the default group.
        timeout: Longest the provider may take, in seconds.
        attempts: How many requests may be sent to providers in all, first, repeated and to others.
        cache: Whether an earlier answer may serve; ``None`` leaves it to the installation.
        board: Whose answers these are: what people of one board paid for serves nobody of another.
    """

    step: StepRef
    group: str = ""
    system: str = ""
    prompt: Text
    max_tokens: PositiveInt = 512
    timeout: PositiveInt = 120
    attempts: PositiveInt = 4
    cache: Cache | None = None
    board: str = ""

    @property
    def digest(self) -> str:
        """Digest of all that the answer depends on."""
        return digest_of(json.dumps([self.group, self.system, self.prompt.digest, self.max_tokens]).encode())


class ModelAnswer(Contract):
    """What the model said.

    Args:
        model: Deployment that answered, as ``provider/model``.
        cost_usd: Price by the bundled price table; 0 for local models.
        latency_ms: From request to whole answer.
        replayed: The answer came from the ledger: it was paid for by an earlier attempt.
        attempt: Which of the requests sent to providers was answered, from 1.
        cached_from: Digest of the key of the call whose answer this is; empty where a model was asked for it.
        saved_usd: What that call cost and this one did not.
    """

    output: Text
    group: str
    model: str
    prompt_tokens: NonNegativeInt = 0
    completion_tokens: NonNegativeInt = 0
    cost_usd: NonNegativeFloat = 0.0
    latency_ms: NonNegativeInt = 0
    finish_reason: str = ""
    replayed: bool = False
    attempt: PositiveInt = 1
    cached_from: str = ""
    saved_usd: NonNegativeFloat = 0.0


class JudgeRequest(Contract):
    """Free-text criteria for a judging model; ``cache`` and ``board`` as in :class:`ModelRequest`."""

    step: StepRef
    group: str
    objective: str
    criteria: tuple[str, ...]
    output: Text
    timeout: PositiveInt = 120
    cache: Cache | None = None
    board: str = ""


class Judgement(Contract):
    """The judge's verdicts, and the call that produced them."""

    verdicts: tuple[Verdict, ...]
    answer: ModelAnswer


class Completion(Protocol):
    """Makes one paid call, exactly once per key as far as this side of the wire can tell."""

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the answer, from the ledger where the call was already paid.

        Raises:
            ModelRefused: Retrying cannot help.
            UnknownModel: The group is not configured.
            ModelUnavailable: Retrying may help.
        """
        ...


class Begun(Contract):
    """How a call stands when it is begun.

    Args:
        answer: The answer that was paid for, if it was.
        used: Requests that were sent to providers before: those that failed, and those that were cut off.
    """

    answer: ModelAnswer | None = None
    used: NonNegativeInt = 0


class CallLedger(Protocol):
    """Remembers calls by idempotency key. The first answer under a key stays."""

    async def begin(self, key: str, group: str, request: str) -> Begun:
        """Return the answer that was paid for under the key, or note that a call starts.

        Args:
            key: Idempotency key of the call.
            group: Model group asked.
            request: Digest of what is asked.

        Raises:
            IdempotencyMismatch: The key stands for another request.

        A call that was noted and has no answer was cut off: it may have been paid for without an answer.
        """
        ...

    async def ended(self, key: str) -> None:
        """Note that a call ended without an answer."""
        ...

    async def record(self, key: str, answer: ModelAnswer) -> ModelAnswer:
        """Store an answer and return the one that stands under the key."""
        ...
