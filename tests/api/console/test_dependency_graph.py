"""Where the rows of a dependency graph are drawn."""

import time
from itertools import combinations

import pytest

from api.console.graph import LAYER_GAP, MARGIN, NODE_HEIGHT, NODE_WIDTH, laid_out

DIAMOND: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
LONG: dict[str, list[str]] = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}
WIDE: dict[str, list[str]] = {"root": []} | {f"leaf-{number}": ["root"] for number in range(40)}
ALONE: dict[str, list[str]] = {f"row-{number}": [] for number in range(9)}
MIXED = DIAMOND | {"x": [], "y": []}
DENSE = {f"r{number}": [f"r{other}" for other in range(max(0, number - 30), number, 7)] for number in range(150)}
GRAPHS = [DIAMOND, LONG, WIDE, ALONE, MIXED, DENSE, {"one": []}]


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_box_covers_another_or_leaves_the_drawing(graph: dict[str, list[str]]) -> None:
    drawing = laid_out(graph)
    assert set(drawing.places) == set(graph)
    for (x, y), (other_x, other_y) in combinations(drawing.places.values(), 2):
        assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT
    for x, y in drawing.places.values():
        assert MARGIN <= x <= drawing.width - NODE_WIDTH - MARGIN
        assert MARGIN <= y <= drawing.height - NODE_HEIGHT - MARGIN


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_row_stands_right_of_what_it_depends_on(graph: dict[str, list[str]]) -> None:
    drawing = laid_out(graph)
    assert {(line.upstream, line.downstream) for line in drawing.lines} == {
        (one, row) for row, upstream in graph.items() for one in upstream
    }
    for line in drawing.lines:
        assert drawing.places[line.downstream][0] >= drawing.places[line.upstream][0] + NODE_WIDTH + LAYER_GAP


def test_a_chain_is_a_straight_line() -> None:
    assert len({y for _, y in laid_out({"a": [], "b": ["a"], "c": ["b"]}).places.values()}) == 1


def test_a_line_over_several_layers_passes_beside_the_boxes_between() -> None:
    drawing = laid_out(LONG)
    path = next(line.path for line in drawing.lines if (line.upstream, line.downstream) == ("a", "d"))
    passed = [int(part.split()[-1]) for part in path.split("H")[:-1]]
    for row, lane in zip(("b", "c"), passed, strict=True):
        y = drawing.places[row][1]
        assert not y <= lane <= y + NODE_HEIGHT


def test_the_lines_of_two_chains_do_not_cross() -> None:
    places = laid_out({"a": [], "b": [], "y": ["b"], "x": ["a"]}).places
    assert (places["a"][1] < places["b"][1]) == (places["x"][1] < places["y"][1])


def test_rows_that_are_not_drawn_are_no_part_of_it() -> None:
    drawing = laid_out({"b": ["elsewhere"]})
    assert set(drawing.places) == {"b"}
    assert drawing.lines == ()


def test_no_rows_are_an_empty_drawing() -> None:
    assert laid_out({}).places == {}


def test_the_largest_drawing_is_laid_out_while_nobody_notices() -> None:
    def took() -> float:
        started = time.process_time()
        laid_out(DENSE)
        return time.process_time() - started

    # The best of some: what else the machine does makes the same work dearer. A layout out of bounds takes minutes.
    assert min(took() for _ in range(4)) < 1.0
