"""The rows that a row proposes, as its page shows them: what they hold, and what waits for what."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactNotFound
from activities.records.contracts import RowState
from activities.records.views import RowDetail, RowNode
from api.console.graph import laid_out
from api.console.picture import Picture
from api.services import Services
from catalogs.plan import Proposal
from catalogs.row import CatalogRow

_STEP: Final = "proposal"
# What has a column of its own, or says nothing of the work.
_SHOWN: Final = frozenset({"id", "line", "title", "objective", "depends_on", "team", "board"})


@dataclass(frozen=True)
class ShownRow:
    """A proposed row.

    Args:
        cells: What it sets besides, by column.
    """

    row: CatalogRow
    cells: Mapping[str, str]


@dataclass(frozen=True)
class ShownProposal:
    """What a row proposes.

    Args:
        rows: In an order in which they can run.
        picture: The rows among each other; empty where none waits for another.
        joined: Whether they have been added to the run.
    """

    rows: tuple[ShownRow, ...]
    picture: Picture
    joined: bool


async def shown_proposal(services: Services, row: RowDetail) -> ShownProposal | None:
    """Return what a row proposes in its newest execution; ``None`` where it proposes nothing that could be added."""
    steps = [step for step in row.steps if step.attempt == row.attempt]
    found = next((step.detail.get("proposal") for step in reversed(steps) if step.step == _STEP), None)
    if not isinstance(found, str):
        return None
    try:
        proposal = Proposal.model_validate_json(await services.stores.artifacts.get(found))
    except (ArtifactNotFound, ArtifactCorrupt):
        return None
    return ShownProposal(
        rows=tuple(ShownRow(one, _cells(one)) for one in proposal.rows),
        picture=await asyncio.to_thread(_picture, proposal),
        joined=any(step.step == "join" and step.detail.get("proposal") == found for step in steps),
    )


def _picture(proposal: Proposal) -> Picture:
    ids = {row.id for row in proposal.rows}
    nodes = [
        RowNode(
            row=row.id,
            title=row.title,
            state=RowState.PENDING,
            upstream=[name for name in row.depends_on if name in ids],
        )
        for row in proposal.rows
    ]
    drawing = laid_out({node.row: node.upstream for node in nodes})
    return Picture(nodes, drawing if drawing.lines else None)


def _cells(row: CatalogRow) -> dict[str, str]:
    told = row.model_dump(mode="json", exclude_defaults=True, exclude=set(_SHOWN))
    return {name: _text(value) for name, value in told.items() if name != "output_schema" or row.pattern is None}


def _text(value: Any) -> str:  # noqa: ANN401 -- of any column
    if isinstance(value, dict):
        return "; ".join(f"{name}={text}" if text else str(name) for name, text in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
