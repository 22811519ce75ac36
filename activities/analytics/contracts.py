"""Usage of models over a period, as pages, programs and people read it."""

from enum import StrEnum

from pydantic import NonNegativeFloat, NonNegativeInt

from activities.llm.incidents import Change
from activities.routing.contracts import LocalShare
from temporal.contract import Contract


class Unit(StrEnum):
    """How long a part of the period is."""

    HOUR = "hour"
    DAY = "day"


class Amount(Contract):
    """What calls amount to.

    Args:
        calls: Answered calls.
        local: Those that a local model answered.
        cached: Those that an earlier answer served.
        joined: Those of them that joined a call under way.
        semantic: Those of them whose answer is that of a similar request.
        cost_usd: What they cost, in US dollars.
        saved_usd: What the cached ones would have cost.
    """

    calls: NonNegativeInt = 0
    local: NonNegativeInt = 0
    cached: NonNegativeInt = 0
    joined: NonNegativeInt = 0
    semantic: NonNegativeInt = 0
    prompt_tokens: NonNegativeInt = 0
    completion_tokens: NonNegativeInt = 0
    cost_usd: NonNegativeFloat = 0.0
    saved_usd: NonNegativeFloat = 0.0


class Part(Amount):
    """An hour or a day; ``at`` is its beginning, ISO 8601 UTC."""

    at: str


class ModelUsage(Amount):
    """A deployment.

    Args:
        again: Calls that were answered only after another request for them had failed.
        median_ms: Half of its newest answers came within so many milliseconds; ``None`` where only the cache answered.
        slow_ms: Nineteen of twenty did.
    """

    model: str
    again: NonNegativeInt = 0
    median_ms: NonNegativeInt | None = None
    slow_ms: NonNegativeInt | None = None


class Failures(Contract):
    """Requests of one kind that a deployment failed; their calls went on to it or to another one.

    Args:
        deployment: Whom; empty where the gateway itself ended in the middle.
        code: The fault.
        last_at: When it last did.
        message: Its words then.
    """

    deployment: str
    code: str
    failed: NonNegativeInt
    last_at: str
    message: str = ""


class BoardShare(LocalShare):
    """What local models took of the calls that wrote a board's rows; ``board`` is empty for rows of none."""

    board: str = ""


class Usage(Contract):
    """Usage of a period.

    Args:
        parts: Every hour or day of it, also those without calls, the oldest first.
        models: The dearest first.
        failures: The most frequent first.
        local: What local models took of the calls that wrote rows, on the days of the period.
        boards: The same of each board, the busiest first.
    """

    since: str
    unit: Unit
    total: Amount
    parts: tuple[Part, ...]
    models: tuple[ModelUsage, ...]
    failures: tuple[Failures, ...]
    local: LocalShare = LocalShare()
    boards: tuple[BoardShare, ...] = ()


class Next(StrEnum):
    """What became of a call after a request of it had failed."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNDER_WAY = "under way"
    NOBODY = "nobody"


class FailoverEvent(Contract):
    """A request that a deployment failed, or a circuit that opened, was probed or closed.

    Args:
        deployment: As the models file calls it; empty where nobody knows.
        model: ``provider/model``; empty where the gateway itself ended in the middle of a request.
        change: What became of the circuit; ``None`` for a request.
        seconds: How long the deployment is left alone, where its circuit opened.
        message: What the request failed with, or why the circuit changed.
        fault: Class of the fault; empty for a circuit.
        status: HTTP status of the answer, where there was one.
        milliseconds: How long the request took to fail.
        run: Whose request it was, as far as that is known; so are ``row`` and ``step``.
        number: Which of the call's requests.
        next: What became of the call's next request; ``None`` for a circuit.
        next_model: Who got that.
    """

    at: str
    deployment: str
    model: str
    change: Change | None = None
    seconds: NonNegativeFloat | None = None
    message: str = ""
    fault: str = ""
    status: int | None = None
    milliseconds: NonNegativeInt = 0
    run: str = ""
    row: str = ""
    step: str = ""
    number: NonNegativeInt = 0
    next: Next | None = None
    next_model: str = ""


class Failovers(Contract):
    """What kept deployments from answering.

    Args:
        events: The newest first.
        more: Whether the period had more of them.
    """

    since: str
    until: str
    events: tuple[FailoverEvent, ...]
    more: bool = False
