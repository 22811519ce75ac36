"""Reading a compiled catalog: what a run needs to schedule its rows, and the rows themselves."""

from typing import Protocol

from pydantic import NonNegativeInt

from activities.artifacts.contracts import Digest
from catalogs.plan import Plan, PlannedRow, PlanPage
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode


class PlanPageNotFound(PrismError):
    """The plan has no such page or row."""

    code = ErrorCode.NOT_FOUND


class PageRequest(Contract):
    """Which page of which plan, from 0."""

    plan: Digest
    page: NonNegativeInt


class RowHead(Contract):
    """What scheduling needs to know of a row.

    Args:
        index: Position in the plan.
        upstream: Positions of the rows it depends on.
        dependants: How many rows depend directly on it.
        unread: Position of one of those whose output it is not given: it planned the row, which did not ask for that.
    """

    index: NonNegativeInt
    id: str
    board: str = ""
    title: str = ""
    priority: int = 3
    upstream: tuple[NonNegativeInt, ...] = ()
    dependants: NonNegativeInt = 0
    unread: NonNegativeInt | None = None


class PageHeads(Contract):
    """The heads of one page.

    Args:
        total: Rows of the whole plan.
    """

    rows: tuple[RowHead, ...]
    total: NonNegativeInt


class LocateRequest(Contract):
    """Which rows of which plan, by id."""

    plan: Digest
    rows: tuple[str, ...]


class Located(Contract):
    """Positions of the rows that the plan has, in plan order; ids it does not have are left out."""

    indexes: tuple[NonNegativeInt, ...]


class PlanReader(Protocol):
    """Reads plans by digest."""

    async def plan(self, digest: Digest) -> Plan:
        """Return a plan.

        Raises:
            ArtifactNotFound: No such plan is stored.
        """
        ...

    async def row(self, digest: Digest, index: int) -> PlannedRow:
        """Return one row of a plan.

        Raises:
            ArtifactNotFound: No such plan is stored.
            PlanPageNotFound: The plan has fewer rows.
        """
        ...

    async def page(self, digest: Digest, n: int) -> PlanPage:
        """Return one page of a plan.

        Raises:
            ArtifactNotFound: No such plan is stored.
            PlanPageNotFound: The plan has fewer pages.
        """
        ...
