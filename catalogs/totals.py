"""What a catalog amounts to as a whole, for those who decide whether all of it may run."""

from array import array
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from pydantic import Field, NonNegativeInt

from catalogs.row import CatalogRow, Review, Risk
from temporal.contract import Contract


class CatalogTotals(Contract):
    """What the rows of a plan amount to.

    Args:
        rows: How many there are.
        budget_usd: Their ``budget_usd`` in total; rows without one add nothing.
        critical_unreviewed: How many have risk ``critical`` and review ``none``.
        boards: How many are of which board; rows of no board are under the empty name.
    """

    rows: NonNegativeInt = 0
    budget_usd: float = Field(default=0, ge=0)
    critical_unreviewed: NonNegativeInt = 0
    boards: dict[str, int] = Field(default_factory=dict)


class Tally:
    """Keeps of each row what counts, some bytes each: which rows are in the plan is known after the last one only."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._boards = array("L")
        self._budgets = array("d")
        self._unreviewed = array("B")

    def add(self, row: CatalogRow) -> None:
        """Take in the next row of the file."""
        self._boards.append(self._names.setdefault(row.board, len(self._names)))
        self._budgets.append(row.budget_usd or 0)
        self._unreviewed.append(row.risk is Risk.CRITICAL and row.review is Review.NONE)

    def over(self, chosen: Iterable[int]) -> CatalogTotals:
        """Return what some rows amount to, each given by its place among the rows added."""
        places = array("L", chosen)
        # As decimals, ten times 0.1 is 1.
        total = sum((Decimal(str(self._budgets[place])) for place in places if self._budgets[place]), Decimal(0))
        names = list(self._names)
        return CatalogTotals(
            rows=len(places),
            budget_usd=float(total),
            critical_unreviewed=sum(self._unreviewed[place] for place in places),
            boards=dict(sorted(Counter(names[self._boards[place]] for place in places).items())),
        )
