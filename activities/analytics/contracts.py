"""Usage of models over a period, as pages, programs and people read it."""

from enum import StrEnum

from pydantic import NonNegativeFloat, NonNegativeInt

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
        cost_usd: What they cost, in US dollars.
        saved_usd: What the cached ones would have cost.
    """

    calls: NonNegativeInt = 0
    local: NonNegativeInt = 0
    cached: NonNegativeInt = 0
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


class Usage(Contract):
    """Usage of a period.

    Args:
        parts: Every hour or day of it, also those without calls, the oldest first.
        models: The dearest first.
        failures: The most frequent first.
    """

    since: str
    unit: Unit
    total: Amount
    parts: tuple[Part, ...]
    models: tuple[ModelUsage, ...]
    failures: tuple[Failures, ...]
