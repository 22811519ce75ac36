"""Calls of tools: what a model wants to have run, and whether it is."""

from enum import StrEnum
from typing import Any

from pydantic import Field, NonNegativeInt

from activities.artifacts.contracts import Digest, Text
from catalogs.row import Language
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidFile


class InvalidTools(InvalidFile):
    """The tools cannot be used; ``details["faults"]`` lists why."""

    what = "tools"


class ToolCheckRequest(Contract):
    """A call that a model wants.

    Args:
        tools: Tools that may be called, by name: digests of their definitions.
        name: What the model named.
        arguments: What it gave, as it gave it.
        calls: How many calls the row's model wanted before.
        risk: The row's, for the policy.
        labels: The row's, for the policy.
        submitter: Who submitted the run, for the policy.
        policy: Digest of the policy that the run keeps to; ``None`` follows the newest.
        agent: Name of the agent whose turn it is; empty where none is defined.
    """

    step: StepRef
    tools: dict[str, Digest]
    name: str
    arguments: Text
    calls: NonNegativeInt = 0
    risk: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    submitter: str = ""
    policy: Digest | None = None
    agent: str = ""


class CallOutcome(StrEnum):
    """What becomes of a call."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    INVALID = "invalid"


class ToolCheck(Contract):
    """Whether a call is carried out.

    Args:
        reasons: Why it is not; the model is told.
        review: Why a person must look at the row's output, as the policy says.
        policy: Digest of the policy that decided; ``None`` where there was nothing to decide on.
        definition: Digest of the tool.
        arguments: What the program reads: canonical JSON; what the model gave, where it is not carried out.
        program: The tool's program, where it is carried out.
    """

    name: str
    outcome: CallOutcome
    reasons: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest | None = None
    definition: Digest | None = None
    arguments: Text
    language: Language | None = None
    program: Text | None = None


class ToolPermission(Contract):
    """What the policy said of a call.

    Args:
        deny: Reasons against it; none means allowed.
        review: Reasons why a person must look at the row's output.
        policy: Digest of the policy bundle that decided.
        decision_id: By which the policy server's own log knows the decision; empty without a server.
    """

    allow: bool
    deny: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    policy: Digest
    decision_id: str = ""


class ToolUse(Contract):
    """A call as the policy is asked about it.

    Args:
        arguments: The object that the model gave; ``None`` where it gave none.
    """

    request: ToolCheckRequest
    language: Language
    arguments: dict[str, Any] | None
