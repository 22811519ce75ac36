"""A compiled catalog: its rows in a topological order, cut into pages that are stored by digest."""

from typing import Final

from pydantic import NonNegativeInt

from catalogs.row import CatalogRow
from temporal.contract import Contract

PAGE_ROWS = 250
# How often a planned row may plan in turn: rows of the catalog plan, and rows that these planned; no others.
MAX_DEPTH: Final = 1
# Most rows that are added to one run.
MAX_ADDED: Final = 500


class PlannedRow(Contract):
    """A row at its place in the plan.

    Args:
        index: Position in the plan, from 0. Every row of the catalog stands after all rows of it that it depends on;
            rows that were added stand last, also where earlier ones wait for them.
        upstream: Indexes of the rows it depends on, ascending.
        dependants: How many rows depend directly on it.
    """

    index: NonNegativeInt
    row: CatalogRow
    upstream: tuple[NonNegativeInt, ...] = ()
    dependants: NonNegativeInt = 0


class PlanPage(Contract):
    """Consecutive rows of a plan; stored as one artifact."""

    rows: tuple[PlannedRow, ...]


class Proposal(Contract):
    """Rows that a row has planned; stored as one artifact.

    Args:
        by: Id of the row that planned them.
        rows: In an order in which they can run.
    """

    by: str
    rows: tuple[CatalogRow, ...]


class Addition(Contract):
    """Rows that were added to a plan while it ran.

    Args:
        by: Id of the row that planned them.
        index: Its place in the plan.
        output: Digest of the output in which it did.
        proposal: Digest of the ``Proposal`` that was added.
        first: Place of the first of them.
        total: How many they are.
    """

    by: str
    index: NonNegativeInt
    output: str
    proposal: str
    first: NonNegativeInt
    total: NonNegativeInt


class Plan(Contract):
    """The manifest of a compiled catalog; stored as one artifact whose digest names the plan.

    Args:
        title: What the run is called, usually the file's name.
        source: ``sha256:`` digest of the catalog's bytes as submitted.
        total: Number of rows.
        pages: Digests of the pages, in order, each of ``page_rows`` rows but the last.
        additions: What was added to the plan of the catalog while it ran, in that order.
    """

    title: str
    source: str
    total: NonNegativeInt
    pages: tuple[str, ...]
    page_rows: int = PAGE_ROWS
    additions: tuple[Addition, ...] = ()

    @property
    def document(self) -> bytes:
        """The stored form; of a catalog as it was compiled it has the same bytes as before plans could grow."""
        return self.model_dump_json(exclude=None if self.additions else {"additions"}).encode()

    def origin(self, index: int) -> Addition | None:
        """Return with which addition a row came; ``None`` for a row of the catalog."""
        return next((one for one in self.additions if one.first <= index < one.first + one.total), None)

    def depth(self, index: int) -> int:
        """Return how many rows planned each other on the way to a row; 0 for a row of the catalog."""
        origin = self.origin(index)
        return 0 if origin is None else 1 + self.depth(origin.index)
