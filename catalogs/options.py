"""How a catalog is to be read."""

from typing import Final

from pydantic import Field, PositiveInt

from catalogs.experiment import Variant
from catalogs.faults import KEPT_FAULTS
from catalogs.team import Agent
from catalogs.tools import Tool
from temporal.contract import Contract

MAX_CELL_CHARS: Final = 1024 * 1024


class ReadOptions(Contract):
    """What the submitter says about the file.

    Args:
        columns: Column of the file to column of Prism, such as ``{"prompt": "objective"}``.
        literal: Prompts are text, not templates.
        skip_invalid: Leave out invalid rows and those that depend on them, instead of refusing the file.
        keep_faults: How many errors, and how many warnings, are described; all are counted.
        max_cell_chars: Largest cell, in characters.
        agents: Agents that rows may name, by name; ``None`` where nobody knows which there are.
        knowledge: Collections that rows may name; ``None`` where nobody knows which there are.
        experiments: Variants of the experiments that rows may name; ``None`` where only the server knows them.
        trials: By agent, the experiment that rows of it take part in where they name none.
        tools: Tools that rows may name; ``None`` where only whoever runs the catalog knows them.
    """

    columns: dict[str, str] = Field(default_factory=dict)
    literal: bool = False
    skip_invalid: bool = False
    keep_faults: PositiveInt = KEPT_FAULTS
    max_cell_chars: PositiveInt = MAX_CELL_CHARS
    agents: dict[str, Agent] | None = Field(default_factory=dict)
    knowledge: tuple[str, ...] | None = None
    experiments: dict[str, tuple[Variant, ...]] | None = Field(default_factory=dict)
    trials: dict[str, str] = Field(default_factory=dict)
    tools: tuple[Tool, ...] | None = ()
