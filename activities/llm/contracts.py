"""Model calls: what is asked of which model group, what came back and what it cost."""

import json
from typing import Any, Final, Protocol

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Digest, Text, digest_of
from activities.verification.contracts import Verdict
from catalogs.row import Cache
from catalogs.tools import TOOL_BYTES
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidFile, InvalidSettings, PrismError
from temporal.names import ErrorCode

# Of what a tool printed, as much as a model is shown; the whole is kept.
SHOWN_RESULT_CHARS: Final = 16 * 1024


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


class NoLocalModel(PrismError):
    """The row's data may go to local models only, and none may answer for what it asks; nothing was sent."""

    code = ErrorCode.NO_LOCAL_MODEL


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


class ToolCall(Contract):
    """A call that a model wants.

    Args:
        id: What tells it from the others of its answer, for the model.
        arguments: As the model gave them, kept; JSON if it did well.
    """

    id: str
    name: str
    arguments: Text


class ToolResult(Contract):
    """What the model is told of a call.

    Args:
        call: Which one.
        text: What the tool printed, kept.
        error: Why there is no result; empty where there is one.
    """

    call: str
    text: Text | None = None
    error: str = ""


class Turn(Contract):
    """A round of a conversation: what the model said and wanted to be called, and what came of it.

    All texts are references: the conversation travels through history once a round.
    """

    said: Text
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]

    @property
    def size(self) -> int:
        """How many bytes it has, as far as the model is shown them."""
        shown = [min(one.text.size, SHOWN_RESULT_CHARS) if one.text else len(one.error) for one in self.results]
        return self.said.size + sum(call.arguments.size for call in self.calls) + sum(shown)


class ModelRequest(Contract):
    """One paid call.

    Args:
        group: Model group; empty means the default group.
        timeout: Longest the provider may take, in seconds.
        attempts: How many requests may be sent to providers in all, first, repeated and to others.
        output_schema: JSON schema of the object that the answer is to be; ``None`` for text.
        tools: Tools that the model may call, by name: digests of their definitions.
        turns: The conversation after the prompt.
        closing: It may call no more tools: this has to be the answer.
        local_only: Nothing of it may leave the house: whatever the group, its alias and its fallbacks are, only local
            deployments are asked.
        cache: Whether an earlier answer may serve; ``None`` leaves it to the installation.
        board: Whose answers these are: what people of one board paid for serves nobody of another.
        kin: What a similar request must have alike besides, for its answer to serve: data class, agent and version of
            the prompt.
    """

    step: StepRef
    group: str = ""
    system: str = ""
    prompt: Text
    max_tokens: PositiveInt = 512
    timeout: PositiveInt = 120
    attempts: PositiveInt = 4
    output_schema: dict[str, Any] | None = None
    tools: dict[str, Digest] = Field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    closing: bool = False
    local_only: bool = False
    cache: Cache | None = None
    board: str = ""
    kin: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes the model reads."""
        told = len(self.system) + self.prompt.size + len(self.tools) * TOOL_BYTES
        return told + sum(turn.size for turn in self.turns)

    @property
    def digest(self) -> str:
        """Digest of all that the answer depends on."""
        asked: list[Any] = [self.group, self.system, self.prompt.digest, self.max_tokens]
        # What most calls have none of is left out: their digests are in ledgers of before there was any.
        used = {name for name in ("output_schema", "tools", "turns", "closing", "local_only") if getattr(self, name)}
        if used:
            asked.append(self.model_dump(mode="json", include=used))
        return digest_of(json.dumps(asked).encode())


class Similar(Contract):
    """The request whose answer served for a similar one.

    Args:
        run: Whose it was, with ``row``.
        similarity: Cosine of the angle between the vectors of the two prompts.
    """

    run: str
    row: str
    similarity: float

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"similarity {self.similarity:.2f}, of {self.run}/{self.row}"


class ModelAnswer(Contract):
    """What the model said.

    Args:
        model: Deployment that answered, as ``provider/model``.
        cost_usd: Price by the bundled price table; 0 for local models.
        latency_ms: From request to whole answer.
        replayed: The answer came from the ledger: it was paid for by an earlier attempt.
        attempt: Which of the requests sent to providers was answered, from 1.
        calls: Tools that it wants to be called before it answers.
        local: A local deployment answered.
        deployment: Which one answered, as the models file calls it.
        cached_from: Digest of the key of the call whose answer this is; empty where a model was asked for it.
        cache_level: Where that answer was found: ``near`` in the gateway, ``shared`` among gateways, ``joined`` as the
            call was under way, ``semantic`` where it is that of a similar request.
        saved_usd: What that call cost and this one did not.
        similar: Which request that was; ``None`` where it was the same.
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
    calls: tuple[ToolCall, ...] = ()
    local: bool = False
    deployment: str = ""
    cached_from: str = ""
    cache_level: str = ""
    saved_usd: NonNegativeFloat = 0.0
    similar: Similar | None = None


class JudgeRequest(Contract):
    """Free-text criteria for a judging model; the last three fields as in :class:`ModelRequest`."""

    step: StepRef
    group: str
    objective: str
    criteria: tuple[str, ...]
    output: Text
    timeout: PositiveInt = 120
    local_only: bool = False
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

    async def begin(self, request: ModelRequest) -> Begun:
        """Return the answer that was paid for under the call's key, or note that it starts.

        Raises:
            IdempotencyMismatch: The key stands for another request.

        A call that was noted and has no answer was cut off: it may have been paid for without an answer.
        """
        ...

    async def ended(self, key: str) -> None:
        """Note that a call ended without an answer."""
        ...

    async def record(self, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        """Store an answer and return the one that stands under the call's key."""
        ...
