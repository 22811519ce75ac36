"""Dependencies between rows, as indexes: cycles, and an order to run in."""

import heapq
from array import array
from collections.abc import Mapping, Sequence

Edges = Mapping[int, Sequence[int]]


def dependants_of(upstream: Edges) -> Mapping[int, Sequence[int]]:
    """Return, for each row that others depend on, those others in ascending order."""
    downstream: dict[int, array[int]] = {}
    for node in sorted(upstream):
        for dependency in upstream[node]:
            downstream.setdefault(dependency, array("L")).append(node)
    return downstream


def execution_order(total: int, upstream: Edges, priorities: Sequence[int]) -> Sequence[int]:
    """Return the rows so that each stands after all it depends on.

    Among the rows that could come next, the one of the lowest priority number comes, then the one
    that stands first in the file. Rows on or behind a cycle are left out.

    Args:
        total: Number of rows; they are 0 to ``total - 1`` in file order.
        upstream: The rows each row depends on.
        priorities: Priority of each row.
    """
    waiting = {node: len(dependencies) for node, dependencies in upstream.items() if dependencies}
    downstream = dependants_of(upstream)
    ready = [(priorities[node], node) for node in range(total) if node not in waiting]
    heapq.heapify(ready)
    order = array("L")
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for dependant in downstream.get(node, ()):
            waiting[dependant] -= 1
            if not waiting[dependant]:
                heapq.heappush(ready, (priorities[dependant], dependant))
    return order


def cycles(upstream: Edges) -> list[list[int]]:
    """Return one shortest cycle of each group of rows that depend on each other.

    A cycle ``[a, b]`` means: a depends on b, and b on a. Each begins with its first row in the file.
    """
    groups = _entangled_groups(upstream)
    return sorted(_shortest_cycle(min(group), frozenset(group), upstream) for group in groups)


def entangled(upstream: Edges) -> frozenset[int]:
    """Return the rows that are on some cycle."""
    return frozenset(node for group in _entangled_groups(upstream) for node in group)


def behind(blocked: frozenset[int], upstream: Edges) -> dict[int, int]:
    """Return the rows that depend on blocked ones, directly or not, each with the row that blocks it."""
    downstream = dependants_of(upstream)
    reached: dict[int, int] = {}
    pending = sorted(blocked, reverse=True)
    while pending:
        node = pending.pop()
        for dependant in downstream.get(node, ()):
            if dependant not in blocked and dependant not in reached:
                reached[dependant] = node
                pending.append(dependant)
    return reached


def _entangled_groups(upstream: Edges) -> list[list[int]]:
    return [group for group in _Components(upstream).found if len(group) > 1 or group[0] in upstream.get(group[0], ())]


class _Components:
    """The strongly connected components among rows with dependencies (Tarjan, without recursion)."""

    def __init__(self, upstream: Edges) -> None:
        self.found: list[list[int]] = []
        self._upstream = upstream
        self._index: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._stacked: set[int] = set()
        for root in sorted(upstream):
            if root not in self._index:
                self._explore(root)

    def _explore(self, root: int) -> None:
        work = [(root, 0)]
        while work:
            node, position = work.pop()
            if position == 0:
                self._enter(node)
            dependencies = self._upstream.get(node, ())
            if position < len(dependencies):
                target = dependencies[position]
                work.append((node, position + 1))
                if target not in self._index:
                    work.append((target, 0))
                elif target in self._stacked:
                    self._low[node] = min(self._low[node], self._index[target])
                continue
            if work:
                parent = work[-1][0]
                self._low[parent] = min(self._low[parent], self._low[node])
            if self._low[node] == self._index[node]:
                self._leave(node)

    def _enter(self, node: int) -> None:
        self._index[node] = self._low[node] = len(self._index)
        self._stack.append(node)
        self._stacked.add(node)

    def _leave(self, node: int) -> None:
        component: list[int] = []
        while not component or component[-1] != node:
            component.append(self._stack.pop())
        self._stacked.difference_update(component)
        self.found.append(component)


def _shortest_cycle(start: int, group: frozenset[int], upstream: Edges) -> list[int]:
    previous: dict[int, int] = {}
    frontier = [start]
    while frontier:
        following: list[int] = []
        for node in frontier:
            for target in upstream.get(node, ()):
                if target == start:
                    return _path(start, node, previous)
                if target in group and target not in previous:
                    previous[target] = node
                    following.append(target)
        frontier = following
    raise AssertionError("a component without a cycle")


def _path(start: int, end: int, previous: Mapping[int, int]) -> list[int]:
    path = [end]
    while path[-1] != start:
        path.append(previous[path[-1]])
    return path[::-1]
