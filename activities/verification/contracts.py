"""Acceptance criteria and how far each was shown to hold."""

from enum import StrEnum

from activities.artifacts.contracts import Text
from temporal.contract import Contract, StepRef


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


class Verification(Contract):
    """Verdicts in the order of the criteria; free text is left *unverified*."""

    verdicts: tuple[Verdict, ...]
