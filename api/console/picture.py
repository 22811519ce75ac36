"""The picture of a run: its rows as a graph, or, where they are too many to be told apart, its boards."""

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from activities.records.contracts import RowState
from activities.records.views import RowNode, RunView
from api.console.bars import bar
from api.console.graph import Drawing, laid_out
from api.services import Services

# Nobody finds a row among more boxes than these, and a browser draws them at once.
MOST_DRAWN: Final = 150
MOST_BOARDS: Final = 60
# A state is told by its sign and its name, never by its colour alone.
SIGNS: Final = {
    RowState.PENDING: "○",
    RowState.RUNNING: "▶",
    RowState.REVIEW: "◆",
    RowState.SUCCEEDED: "✓",
    RowState.FAILED: "✕",
    RowState.VERIFICATION_FAILED: "≠",
    RowState.DENIED: "⊘",
    RowState.REJECTED: "⊗",
    RowState.BLOCKED: "‖",
    RowState.SKIPPED: "»",
    RowState.CANCELLED: "□",
}


@dataclass(frozen=True)
class BoardBar:
    """A board and how its rows stand."""

    board: str
    rows: int
    ended: int
    bar: list[tuple[str, int, float, float]]


@dataclass(frozen=True)
class Picture:
    """What is drawn of a run: either rows or boards.

    Args:
        drawing: ``None`` where there is nothing to draw, as in rows that do not depend on each other.
        boards_left_out: Boards past those that are listed.
    """

    nodes: Sequence[RowNode] = ()
    drawing: Drawing | None = None
    boards: Sequence[BoardBar] = ()
    boards_left_out: int = 0
    signs: dict[str, str] = field(default_factory=lambda: {state.value: sign for state, sign in SIGNS.items()})


async def picture_of(services: Services, run: RunView, board: str) -> Picture:
    """Return the picture of a run, or of one of its boards; its lines within that board."""
    if board or run.total <= MOST_DRAWN:
        nodes = await services.queries.nodes(run.run, board=board, limit=MOST_DRAWN + 1)
        if len(nodes) <= MOST_DRAWN:
            drawing = await asyncio.to_thread(_drawing, tuple((node.row, tuple(node.upstream)) for node in nodes))
            return Picture(nodes, drawing if drawing.lines else None)
    if board:
        return Picture()
    counts = await services.queries.counts_by_board(run.run)
    listed = list(counts.items())[:MOST_BOARDS]
    return Picture(
        boards=[
            BoardBar(name, sum(by.values()), sum(rows for state, rows in by.items() if state.ended), bar(by))
            for name, by in listed
        ],
        boards_left_out=len(counts) - len(listed),
    )


@functools.lru_cache(maxsize=64)
def _drawing(rows: tuple[tuple[str, tuple[str, ...]], ...]) -> Drawing:
    """Lay rows out once: a live page asks again with every change of a state, and a dense graph takes 0.1 s."""
    return laid_out(dict(rows))
