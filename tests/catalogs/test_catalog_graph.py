import time

from hypothesis import given
from hypothesis import strategies as st

from catalogs.graph import behind, cycles, entangled, execution_order


def test_rows_come_in_file_order_within_priority_and_after_what_they_need() -> None:
    upstream = {0: [3], 1: [], 4: [0]}
    assert list(execution_order(5, upstream, [3, 3, 1, 5, 1])) == [2, 1, 3, 0, 4]


def test_one_shortest_cycle_a_group() -> None:
    upstream = {0: [1], 1: [2], 2: [0, 1], 5: [5], 6: [0], 7: [8], 8: [7]}
    assert cycles(upstream) == [[0, 1, 2], [5], [7, 8]]
    assert entangled(upstream) == {0, 1, 2, 5, 7, 8}
    assert behind(entangled(upstream), upstream) == {6: 0}


def test_long_chains_need_no_recursion() -> None:
    total = 200_000
    started = time.monotonic()
    chain = {node: [node - 1] for node in range(1, total)}
    assert cycles(chain) == []
    assert list(execution_order(total, chain, bytes([3]) * total)) == list(range(total))
    ring = chain | {0: [total - 1]}
    assert [len(cycle) for cycle in cycles(ring)] == [total]
    assert time.monotonic() - started < 20


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=25))
    )
)
def test_every_row_is_ordered_or_on_or_behind_a_cycle(graph: tuple[int, list[tuple[int, int]]]) -> None:
    total, edges = graph
    upstream: dict[int, list[int]] = {}
    for node, dependency in dict.fromkeys(edges):
        upstream.setdefault(node, []).append(dependency)
    order = list(execution_order(total, upstream, [3] * total))
    place = {node: position for position, node in enumerate(order)}
    assert all(place[up] < place[node] for node in order for up in upstream.get(node, ()))
    stuck = entangled(upstream)
    assert set(order) == set(range(total)) - stuck - set(behind(stuck, upstream))
    for cycle in cycles(upstream):
        assert all(after in upstream[before] for before, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
