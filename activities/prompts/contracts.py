"""Composing what the model is asked."""

from collections.abc import Callable

from pydantic import NonNegativeInt, PositiveInt

from activities.artifacts.contracts import Text
from activities.artifacts.files import Snapshot
from catalogs.faults import TemplateFailed
from catalogs.row import CatalogRow
from catalogs.team import Agent, TurnKind
from catalogs.window import Dropped
from temporal.contract import Contract, StepRef

__all__ = ["ComposeRequest", "NamedText", "Prompt", "TemplateFailed", "Turn", "Windows", "unknown_windows"]

Windows = Callable[[str], int | None]


def unknown_windows(group: str) -> int | None:  # noqa: ARG001 -- as Windows
    """Say of no group how much it reads: nothing is cut."""
    return None


class NamedText(Contract):
    """A text and what it is: an upstream row's output, or an earlier step's.

    Args:
        files: Files that the row's program left besides.
    """

    name: str
    text: Text
    files: Snapshot | None = None


class Turn(Contract):
    """One agent's turn.

    Args:
        kind: What it is to do.
        shown: Answers of agents that it is shown, by what they are called.
        item: The part of the task that it is to do; of a plan, how many rows it may have.
    """

    kind: TurnKind = TurnKind.ANSWER
    agent: Agent
    shown: tuple[NamedText, ...] = ()
    item: str = ""


class ComposeRequest(Contract):
    """Everything a prompt is made of.

    Args:
        upstream: Outputs of the rows this one depends on, by row id.
        phase: Index into ``row.workflow`` when the row goes stepwise, else ``None``.
        earlier: Outputs of the earlier steps of a stepwise row.
        failures: Criteria the previous answer failed, with reasons, or what a reviewer wants changed.
        previous: The answer a reviewer wants changed.
        turn: Whose turn it is, where an agent is defined for the row.
        notes: Outputs that the run remembers, by key.
        sources: Passages of documents, the most needed first.
        answer_tokens: Longest answer; what a model reads has to hold it too.
    """

    step: StepRef
    row: CatalogRow
    upstream: tuple[NamedText, ...] = ()
    phase: int | None = None
    earlier: tuple[NamedText, ...] = ()
    failures: tuple[str, ...] = ()
    previous: Text | None = None
    turn: Turn | None = None
    notes: tuple[NamedText, ...] = ()
    sources: tuple[NamedText, ...] = ()
    answer_tokens: NonNegativeInt = 0


class Prompt(Contract):
    """A composed prompt, kept in the artifact store.

    Args:
        template: Version of the words it was composed by, or digest of the row's own template.
        window: Most tokens that who answers reads; ``None`` where nobody said.
        dropped: What was cut to fit that.
    """

    system: str
    text: Text
    template: str = ""
    window: PositiveInt | None = None
    dropped: tuple[Dropped, ...] = ()
