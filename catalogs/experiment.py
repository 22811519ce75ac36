"""Experiments as data: which one a row takes part in, and what its variants change."""

import re
from typing import Annotated, Final

from pydantic import Field, PositiveInt, StringConstraints

from catalogs.cells import BadCell
from catalogs.team import Agent
from temporal.contract import Contract

ExperimentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
MAX_KEY_CHARS: Final = 200
MAX_SHARE: Final = 1000


class Participation(Contract):
    """That a row takes part in an experiment.

    Args:
        name: The experiment.
        key: Rows that say the same key get the same variant; where it is empty, the row itself is the key.
    """

    name: ExperimentName
    key: Annotated[str, StringConstraints(max_length=MAX_KEY_CHARS)] = ""


class Variant(Contract):
    """One of the ways that an experiment compares. What it does not name stays as the row says.

    Args:
        name: What people call it.
        share: How many rows it gets for those that the others get, by their shares.
        model: Model group that answers.
        prompt: What the model is asked, as in the row's column ``prompt``.
        agent: Who answers: instead of the row's agent, or of the one of its team that has the same name. It may call
            the tools that the row lets be called, and no others.
    """

    name: ExperimentName
    share: Annotated[PositiveInt, Field(le=MAX_SHARE)] = 1
    model: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    prompt: Annotated[str, StringConstraints(max_length=100_000)] = ""
    agent: Agent | None = None

    @property
    def changes(self) -> tuple[str, str, str | None]:
        """What it changes: two variants that have this alike are one."""
        return self.model, self.prompt, self.agent.digest if self.agent else None


def participation(text: str) -> Participation:
    """Return what a cell such as ``tone`` or ``tone:customer-17`` says.

    Raises:
        BadCell: It names no experiment, or its key is too long.
    """
    name, colon, key = (part.strip() for part in text.strip().partition(":"))
    if not _NAME.fullmatch(name) or (colon and not key) or len(key) > MAX_KEY_CHARS:
        raise BadCell(f"the name of an experiment, or name:key with a key of at most {MAX_KEY_CHARS} characters")
    return Participation(name=name, key=key)
