"""Adding rows to a plan that runs: what was there keeps its place, and only the pages that change are written anew."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from catalogs.graph import Edges
from catalogs.plan import Plan, PlannedRow, PlanPage, Proposal


@dataclass(frozen=True)
class RunRows:
    """The rows that a run has.

    Args:
        ids: Place of each row, by id.
        upstream: Places of the rows that a row depends on, by its place.
        planner: Place of the row that proposes.
        depth: How many rows planned each other on the way to it; 0 for a row of the catalog.
        added: How many rows of the run were planned.
    """

    ids: Mapping[str, int]
    planner: int
    upstream: Edges = field(default_factory=dict)
    depth: int = 0
    added: int = 0

    @property
    def waiting(self) -> tuple[int, ...]:
        """Places of the rows that depend on the one that proposes: they wait for all that it plans."""
        return tuple(place for place, above in self.upstream.items() if self.planner in above)


@dataclass(frozen=True)
class Growth:
    """How a plan grows by the rows of a proposal.

    Args:
        plan: The plan before.
        proposal: What is added.
        run: The rows that the plan has.
    """

    plan: Plan
    proposal: Proposal
    run: RunRows

    @property
    def first(self) -> int:
        """Place of the first row that is added."""
        return self.plan.total

    @property
    def added(self) -> range:
        """Places of the rows that are added."""
        return range(self.first, self.first + len(self.proposal.rows))

    def rows(self) -> Iterator[PlannedRow]:
        """Yield the rows that are added, at their places. Each depends on the row that planned it."""
        places = dict(zip((row.id for row in self.proposal.rows), self.added, strict=True))
        upstream = [
            {self.run.planner, *(places.get(name, self.run.ids.get(name, self.run.planner)) for name in row.depends_on)}
            for row in self.proposal.rows
        ]
        dependants = Counter(place for above in upstream for place in above)
        for place, row, above in zip(self.added, self.proposal.rows, upstream, strict=True):
            yield PlannedRow(
                index=place,
                row=row,
                upstream=tuple(sorted(above)),
                dependants=dependants[place] + len(self.run.waiting),
            )

    def wanted(self) -> dict[int, int]:
        """Return how many of the added rows depend on each row that was there."""
        above = Counter(place for row in self.rows() for place in row.upstream)
        return {place: count for place, count in sorted(above.items()) if place < self.first}

    def pages(self) -> list[int]:
        """Return which pages that were there change."""
        changed = {*self.wanted(), *self.run.waiting}
        numbers = {place // self.plan.page_rows for place in changed}
        if self.first % self.plan.page_rows:
            numbers.add(self.first // self.plan.page_rows)
        return sorted(numbers)

    def rewritten(self, number: int, page: PlanPage) -> PlanPage:
        """Return a page that was there as it is now."""
        wanted, waiting = self.wanted(), frozenset(self.run.waiting)
        rows = []
        for planned in page.rows:
            upstream = planned.upstream
            if planned.index in waiting:
                upstream = tuple(sorted({*upstream, *self.added}))
            dependants = planned.dependants + wanted.get(planned.index, 0)
            rows.append(planned.model_copy(update={"upstream": upstream, "dependants": dependants}))
        return PlanPage(rows=(*rows, *self._in_page(number)))

    def new_pages(self) -> Iterator[PlanPage]:
        """Yield the pages after those that were there."""
        number = len(self.plan.pages)
        while number * self.plan.page_rows < self.added.stop:
            yield PlanPage(rows=tuple(self._in_page(number)))
            number += 1

    def _in_page(self, number: int) -> Iterable[PlannedRow]:
        return (row for row in self.rows() if row.index // self.plan.page_rows == number)
