"""A compiled catalog: its rows in a topological order, cut into pages that are stored by digest."""

from pydantic import NonNegativeInt

from catalogs.row import CatalogRow
from temporal.contract import Contract

PAGE_ROWS = 250


class PlannedRow(Contract):
    """A row at its place in the plan.

    Args:
        index: Position in the plan, from 0. Every row stands after all rows it depends on.
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


class Plan(Contract):
    """The manifest of a compiled catalog; stored as one artifact whose digest names the plan.

    Args:
        title: What the run is called, usually the file's name.
        source: ``sha256:`` digest of the catalog's bytes as submitted.
        total: Number of rows.
        pages: Digests of the pages, in order, each of ``page_rows`` rows but the last.
    """

    title: str
    source: str
    total: NonNegativeInt
    pages: tuple[str, ...]
    page_rows: int = PAGE_ROWS
