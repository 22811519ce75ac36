"""What was wrong with outputs of an agent, as a reflection is shown it."""

from enum import StrEnum
from typing import Final

from temporal.contract import Contract

BOARD: Final = "reflection"
ROW: Final = "prompt"
# The agent that reflects, defined like all others: a file of one's own goes before the one that ships.
REFLECTOR: Final = "reflector"


class EvidenceKind(StrEnum):
    """How it came to light that an output was wanting."""

    VOTE = "vote"
    EDIT = "edit"
    CRITERION = "criterion"


class Evidence(Contract):
    """One thing that was wrong with an output.

    Args:
        why: What the person said, or the criterion and why it was not met.
        task: What the agent was asked.
        answer: What it wrote, or the row's output where it was one of several agents.
        better: What a person made of it; empty for none.
        data_class: How closely the row's data is kept.
    """

    kind: EvidenceKind
    run: str
    row: str
    at: str
    why: str = ""
    task: str = ""
    answer: str = ""
    better: str = ""
    data_class: str = ""
