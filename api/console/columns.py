"""Columns over time: how high each is, and where its parts lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 120
# Of a column's place; what is left keeps it apart from the next.
_FILLED: Final = 0.78


@dataclass(frozen=True)
class Piece:
    """A part of a column, in percent of the width and in pixels of the height."""

    kind: str
    x: float
    width: float
    y: float
    height: float
    title: str


def columns(values: Sequence[Sequence[tuple[str, float]]], titles: Sequence[str]) -> tuple[list[Piece], float]:
    """Return the pieces of stacked columns, and what the highest one amounts to.

    Args:
        values: Of each column its parts by kind, the lowest first.
        titles: What each column is, for whoever points at it.
    """
    most = max((sum(value for _, value in column) for column in values), default=0.0)
    pieces: list[Piece] = []
    place = 100 / max(len(values), 1)
    for number, (column, title) in enumerate(zip(values, titles, strict=True)):
        y = float(HEIGHT)
        for kind, value in column:
            if value <= 0:
                continue
            # What is there at all is seen.
            height = max(HEIGHT * value / most, 1.5)
            y -= height
            x = number * place + place * (1 - _FILLED) / 2
            pieces.append(
                Piece(kind, round(x, 3), round(place * _FILLED, 3), round(max(y, 0), 2), round(height, 2), title)
            )
    return pieces, most
