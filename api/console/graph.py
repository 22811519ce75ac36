"""Where the rows of a dependency graph stand in its drawing: layers from left to right, few crossings, no overlap."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Final

NODE_WIDTH: Final = 196
NODE_HEIGHT: Final = 44
LAYER_GAP: Final = 58
NODE_GAP: Final = 14
MARGIN: Final = 6
# What a long line takes of the height of a layer that it passes.
_LANE: Final = 6
# More sweeps do not change drawings of the size that is drawn.
_SWEEPS: Final = 6
_COLUMNS_WITHOUT_LINES: Final = 4


@dataclass(frozen=True)
class Line:
    """A dependency, as the data of an SVG path."""

    upstream: str
    downstream: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """A graph that has been laid out, in pixels.

    Args:
        places: The left upper corner of each row's box.
        lines: Its dependencies.
    """

    width: int
    height: int
    places: Mapping[str, tuple[int, int]]
    lines: tuple[Line, ...]


def laid_out(upstream: Mapping[str, Sequence[str]]) -> Drawing:
    """Lay a graph out.

    Rows that have no dependency either way follow below, in a grid.

    Args:
        upstream: For each row the rows that it depends on; those that are no key of it are left out.

    Raises:
        graphlib.CycleError: The rows depend on each other in a circle, which no catalog does.
    """
    known = {row: [one for one in dict.fromkeys(above) if one in upstream] for row, above in upstream.items()}
    joined = {row for row, above in known.items() if above} | {one for above in known.values() for one in above}
    layers = _Layers({row: above for row, above in known.items() if row in joined})
    layers.untangle()
    layers.align()
    places = layers.places()
    columns = max(len(layers.members), min(_COLUMNS_WITHOUT_LINES, len(known)) if not joined else 1)
    top = max((y for _, y in places.values()), default=-NODE_HEIGHT - NODE_GAP) + NODE_HEIGHT + 2 * NODE_GAP
    top = top if joined else MARGIN
    for number, row in enumerate(row for row in known if row not in joined):
        places[row] = (_left(number % columns), top + number // columns * (NODE_HEIGHT + NODE_GAP))
    return Drawing(
        width=max((x for x, _ in places.values()), default=0) + NODE_WIDTH + MARGIN,
        height=max((y for _, y in places.values()), default=0) + NODE_HEIGHT + MARGIN,
        places=places,
        lines=tuple(layers.lines()),
    )


# A row, or the place where a line from one row to another passes a layer.
_Lane = tuple[str, str, int]
_Member = str | _Lane


class _Layers:
    """The layers of a graph: what stands in each, in which order and how high."""

    def __init__(self, upstream: Mapping[str, Sequence[str]]) -> None:
        self.members: list[list[_Member]] = []
        self._chains: list[list[_Member]] = []
        self._left: dict[_Member, list[_Member]] = {}
        self._right: dict[_Member, list[_Member]] = {}
        self._middle: dict[_Member, float] = {}
        layer = _layer_of(upstream)
        for row in upstream:
            self._put(layer[row], row)
        for row, above in upstream.items():
            for one in above:
                lanes: list[_Member] = [(one, row, number) for number in range(layer[one] + 1, layer[row])]
                for number, lane in enumerate(lanes, layer[one] + 1):
                    self._put(number, lane)
                self._chains.append([one, *lanes, row])
        for chain in self._chains:
            for before, after in pairwise(chain):
                self._right.setdefault(before, []).append(after)
                self._left.setdefault(after, []).append(before)

    def _put(self, layer: int, member: _Member) -> None:
        while len(self.members) <= layer:
            self.members.append([])
        self.members[layer].append(member)

    def untangle(self) -> None:
        """Order each layer by where its neighbours stand in the layer beside it."""
        for sweep in range(_SWEEPS):
            order = {one: float(place) for layer in self.members for place, one in enumerate(layer)}
            neighbours, layers = self._sweep(sweep)
            for layer in layers:
                layer.sort(key=lambda one: _mean([order[other] for other in neighbours.get(one, [])], order[one]))
                order.update({one: float(place) for place, one in enumerate(layer)})

    def align(self) -> None:
        """Move each member towards the height of its neighbours, without changing the order."""
        for layer in self.members:
            self._stack(layer, dict.fromkeys(layer, 0.0))
        for sweep in range(_SWEEPS):
            neighbours, layers = self._sweep(sweep)
            for layer in layers:
                wanted = {
                    one: _mean([self._middle[other] for other in neighbours.get(one, [])], self._middle[one])
                    for one in layer
                }
                self._stack(layer, wanted)

    def _sweep(self, number: int) -> tuple[dict[_Member, list[_Member]], list[list[_Member]]]:
        return (self._right, self.members[::-1]) if number % 2 else (self._left, self.members)

    def _stack(self, layer: list[_Member], wanted: Mapping[_Member, float]) -> None:
        floor = float("-inf")
        for one in layer:
            half = _height(one) / 2
            self._middle[one] = max(wanted[one], floor + half)
            floor = self._middle[one] + half + NODE_GAP
        # Making room pushes down only; what all were pushed on average is taken back.
        pushed = _mean([self._middle[one] - wanted[one] for one in layer], 0.0)
        for one in layer:
            self._middle[one] -= pushed

    def places(self) -> dict[str, tuple[int, int]]:
        """Return the left upper corners of the rows."""
        highest = min((self._middle[one] - _height(one) / 2 for one in self._middle), default=0.0)
        for one in self._middle:
            self._middle[one] += MARGIN - highest
        return {
            one: (_left(number), round(self._middle[one] - NODE_HEIGHT / 2))
            for number, layer in enumerate(self.members)
            for one in layer
            if isinstance(one, str)
        }

    def lines(self) -> Iterator[Line]:
        """Yield the dependencies; call it after ``places``."""
        number = {one: place for place, layer in enumerate(self.members) for one in layer}
        for chain in self._chains:
            first, last = chain[0], chain[-1]
            x, path = _left(number[first]) + NODE_WIDTH, ""
            y = round(self._middle[first])
            path = f"M{x} {y}"
            for one in chain[1:]:
                left, middle = _left(number[one]), round(self._middle[one])
                half = (left + x) // 2
                path += f"C{half} {y} {half} {middle} {left} {middle}"
                x, y = left + NODE_WIDTH, middle
                path += "" if one is last else f"H{x}"
            yield Line(str(first), str(last), path)


def _layer_of(upstream: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the layer of each row: one right of the rightmost row that it depends on."""
    layer: dict[str, int] = {}
    for row in TopologicalSorter(upstream).static_order():
        layer[row] = max((layer[one] + 1 for one in upstream[row]), default=0)
    return layer


def _left(layer: int) -> int:
    return MARGIN + layer * (NODE_WIDTH + LAYER_GAP)


def _height(member: _Member) -> int:
    return NODE_HEIGHT if isinstance(member, str) else _LANE


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
