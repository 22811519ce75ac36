"""What pages show of reflections: the proposal of a row beside the present prompt, and which reflections there were."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from activities.records.views import RowDetail
from activities.reflections.contracts import Reflection
from activities.reflections.register import SqlReflectionRegister
from api.console.artifacts import ShownText
from api.console.diffs import Line, side_by_side
from api.services import Services
from catalogs.evidence import BOARD, ROW
from workers.agents import installed


@dataclass(frozen=True)
class PromptChange:
    """A changed prompt as a row proposes it.

    Args:
        text: The whole proposal, as the row's output is.
        prompt: The changed prompt alone.
        reasons: For each change the numbers of the evidence that it answers, and why.
        changes: The present prompt beside it.
    """

    reflection: Reflection
    text: str
    prompt: str
    summary: str
    reasons: list[tuple[str, str]]
    changes: list[Line]


async def prompt_change_of(services: Services, row: RowDetail, output: ShownText | None) -> PromptChange | None:
    """Return what a row proposes; ``None`` for a row that is no reflection's, or whose output is no proposal."""
    if (row.board, row.row) != (BOARD, ROW) or output is None or output.cut:
        return None
    reflection = await SqlReflectionRegister(services.stores.engine).reflection(row.run)
    if reflection is None or reflection.definition is None:
        return None
    try:
        told: dict[str, Any] = json.loads(output.text)
        prompt, summary = str(told["prompt"]), str(told.get("summary", ""))
        reasons = [(", ".join(map(str, one["evidence"])), str(one["why"])) for one in told.get("reasons", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    changes = side_by_side(reflection.definition.system, prompt)
    return PromptChange(reflection, output.text, prompt, summary, reasons, changes)


async def known_agents(services: Services) -> frozenset[str]:
    """Return the names of the agents that are defined."""
    return frozenset((await asyncio.to_thread(installed, services.settings))["agents"])
