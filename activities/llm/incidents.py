"""What keeps deployments from answering: requests that failed, and circuits that opened and closed."""

from enum import StrEnum
from typing import Protocol

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from activities.llm.groups import Deployment
from temporal.contract import Contract, StepRef
from temporal.errors import PrismError


class FailedRequest(Contract):
    """A request of a call that a deployment did not answer. Nothing is counted as its price: nobody said one.

    Args:
        number: Which of the call's requests it was, from 1, wherever they went.
        deployment: Whom, as the models file calls it.
        model: What it is, as ``provider/model``.
        fault: Class of the fault.
        status: HTTP status of the answer, where there was one.
        milliseconds: How long it took to fail.
    """

    step: StepRef
    number: PositiveInt
    deployment: str
    model: str
    fault: str
    status: int | None = None
    message: str = ""
    milliseconds: NonNegativeInt = 0


class Change(StrEnum):
    """What becomes of a circuit."""

    OPENED = "opened"
    PROBED = "probed"
    CLOSED = "closed"


class CircuitChange(Contract):
    """A deployment is left alone from now on, asked once to see how it does, or asked again like all others.

    Args:
        deployment: Which, as the models file calls it.
        model: What it is, as ``provider/model``.
        seconds: How long it is left alone; ``None`` unless it was opened.
        reason: Why.
    """

    deployment: str
    model: str
    change: Change
    seconds: NonNegativeFloat | None = None
    reason: str = ""


class Incidents(Protocol):
    """Keeps what happened, for those who look, and for the count of a call's requests."""

    async def failed(self, request: FailedRequest) -> None:
        """Keep a request that failed: the next attempt of its call knows how many there were."""
        ...

    async def changed(self, change: CircuitChange) -> None:
        """Keep what became of a circuit."""
        ...


def failed_request(
    step: StepRef, number: int, deployment: Deployment, fault: PrismError, milliseconds: int
) -> FailedRequest:
    """Return a request that a deployment did not answer, as it is kept."""
    return FailedRequest(
        step=step,
        number=number,
        deployment=deployment.group,
        model=deployment.name,
        fault=type(fault).__name__,
        status=fault.details.get("status"),
        message=fault.message,
        milliseconds=milliseconds,
    )
