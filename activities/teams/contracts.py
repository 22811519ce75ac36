"""What agents' answers amount to: a vote, a judge's choice, a list of parts."""

from pydantic import NonNegativeInt

from activities.artifacts.contracts import Text
from temporal.contract import Contract, StepRef


class VoteRequest(Contract):
    """Answers to the same task, in the order in which their agents are named."""

    step: StepRef
    answers: tuple[Text, ...]


class ChoiceRequest(Contract):
    """What a judge answered about some numbered answers.

    Args:
        of: How many those were.
    """

    step: StepRef
    answer: Text
    of: NonNegativeInt


class Choice(Contract):
    """Which answer was chosen.

    Args:
        chosen: Its place, from 0; ``None`` where none was.
        votes: How many agree with the commonest answer; 0 where a judge chose.
        of: How many answers there were.
    """

    chosen: NonNegativeInt | None = None
    votes: NonNegativeInt = 0
    of: NonNegativeInt


class ListRequest(Contract):
    """Texts whose lines are parts of a task."""

    step: StepRef
    texts: tuple[Text, ...]


class Items(Contract):
    """The parts of a task, each once.

    Args:
        items: As many as are worked on.
        found: How many there were.
    """

    items: tuple[str, ...]
    found: NonNegativeInt
