"""Composing what the model is asked."""

from activities.artifacts.contracts import Text
from activities.artifacts.files import Snapshot
from catalogs.faults import TemplateFailed
from catalogs.row import CatalogRow
from temporal.contract import Contract, StepRef

__all__ = ["ComposeRequest", "NamedText", "Prompt", "TemplateFailed"]


class NamedText(Contract):
    """A text and what it is: an upstream row's output, or an earlier step's.

    Args:
        files: Files that the row's program left besides.
    """

    name: str
    text: Text
    files: Snapshot | None = None


class ComposeRequest(Contract):
    """Everything a prompt is made of.

    Args:
        upstream: Outputs of the rows this one depends on, by row id.
        phase: Index into ``row.workflow`` when the row goes stepwise, else ``None``.
        earlier: Outputs of the earlier steps of a stepwise row.
        failures: Criteria the previous answer failed, with reasons, or what a reviewer wants changed.
        previous: The answer a reviewer wants changed.
    """

    step: StepRef
    row: CatalogRow
    upstream: tuple[NamedText, ...] = ()
    phase: int | None = None
    earlier: tuple[NamedText, ...] = ()
    failures: tuple[str, ...] = ()
    previous: Text | None = None


class Prompt(Contract):
    """A composed prompt, kept in the artifact store."""

    system: str
    text: Text
