"""Acceptance criteria and how far each was shown to hold."""

from enum import StrEnum
from typing import Any, Final

from activities.artifacts.contracts import Text
from temporal.contract import Contract, StepRef

# What the verdict on an output's structure is called.
OUTPUT_SCHEMA: Final = "output_schema"


class Basis(StrEnum):
    """On what a verdict rests."""

    PROVEN = "proven"
    JUDGED = "judged"
    UNVERIFIED = "unverified"


class Verdict(Contract):
    """One criterion, whether it holds, and how we know.

    Args:
        passed: ``None`` when nobody checked (basis *unverified*).
    """

    criterion: str
    basis: Basis
    passed: bool | None
    reason: str = ""


class VerificationRequest(Contract):
    """An output and the criteria written for it."""

    step: StepRef
    criteria: tuple[str, ...]
    output: Text


class StructureRequest(Contract):
    """An answer, and the JSON schema that it has to fit."""

    step: StepRef
    output_schema: dict[str, Any]
    output: Text


class Structured(Contract):
    """What an answer is as JSON.

    Args:
        output: Its canonical JSON: sorted keys, no spaces; ``None`` where it does not fit.
        faults: What is wrong with it, each with its place.
    """

    output: Text | None = None
    faults: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on it."""
        fits = not self.faults
        reason = "it fits the schema" if fits else "; ".join(self.faults)
        return Verdict(criterion=OUTPUT_SCHEMA, basis=Basis.PROVEN, passed=fits, reason=reason)


class Verification(Contract):
    """Verdicts in the order of the criteria; free text is left *unverified*."""

    verdicts: tuple[Verdict, ...]
