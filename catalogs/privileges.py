"""What a row that another row has planned may do: nothing that the one who planned it could not."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from catalogs.faults import Fault, shown
from catalogs.row import CatalogRow, OnDeadline, Review, Risk, Scan
from temporal.names import ErrorCode

# From little to much.
_REVIEWS: Final = (Review.NONE, Review.POLICY, Review.REQUIRED)
_SCANS: Final = (Scan.NONE, Scan.SECRETS, Scan.CODE)
_RISKS: Final = tuple(Risk)
# What a planned row that says nothing of it has from the one who planned it.
INHERITED: Final = (
    "board",
    "risk",
    "data_class",
    "review",
    "reviewers",
    "quorum",
    "on_deadline",
    "escalate",
    "scan",
    "labels",
    "priority",
    "budget_usd",
    "plan_rows",
)


def inherited(row: CatalogRow, planner: CatalogRow, given: Collection[str]) -> CatalogRow:
    """Return a planned row with what it has from the one who planned it.

    Args:
        row: As it was read.
        planner: The row that planned it.
        given: Columns that it fills itself.
    """
    return row.model_copy(update={name: getattr(planner, name) for name in INHERITED if name not in given})


def raised(row: CatalogRow, planner: CatalogRow) -> list[Fault]:
    """Return where a planned row would go beyond the one who planned it, each by its column."""
    faults = []
    for column, (bound, keeps) in _BOUNDS.items():
        if not keeps(row, planner):
            found, limit = _told(_of(row, column)), _told(_of(planner, column))
            faults.append(
                Fault(
                    code=ErrorCode.PRIVILEGE_RAISED,
                    message=f"{column}: found {shown(found)!r}, row {planner.id!r}, which plans it, has "
                    f"{shown(limit)!r}; a planned row has {bound}",
                    row=row.id,
                    column=column,
                    found=shown(found),
                    expected=bound,
                )
            )
    return faults


def _of(row: CatalogRow, column: str) -> Any:  # noqa: ANN401 -- of any column
    """Return what a row has in a column; of tools those of its agents too."""
    return tuple(row.callable_tools) if column == "tools" else getattr(row, column)


def _told(value: Any) -> str:  # noqa: ANN401 -- of any column
    if isinstance(value, Mapping):
        return "; ".join(f"{name}={text}" if text else name for name, text in value.items())
    if isinstance(value, tuple):
        return "; ".join(value)
    return "" if value is None else str(value)


def _escalates_within(row: CatalogRow, planner: CatalogRow) -> bool:
    known = {*planner.escalate, *planner.reviewers}
    return not planner.reviewers or known.issuperset(row.escalate)


def _spends_within(row: CatalogRow, planner: CatalogRow) -> bool:
    return planner.budget_usd is None or (row.budget_usd is not None and row.budget_usd <= planner.budget_usd)


_BOUNDS: Final[Mapping[str, tuple[str, Callable[[CatalogRow, CatalogRow], bool]]]] = {
    "board": ("the same one", lambda row, planner: row.board == planner.board),
    "risk": ("at least as much", lambda row, planner: _RISKS.index(row.risk) >= _RISKS.index(planner.risk)),
    "data_class": ("the same one", lambda row, planner: planner.data_class in {"", row.data_class}),
    "review": ("at least that", lambda row, planner: _REVIEWS.index(row.review) >= _REVIEWS.index(planner.review)),
    "reviewers": (
        "some of them",
        lambda row, planner: not planner.reviewers or set() < {*row.reviewers} <= {*planner.reviewers},
    ),
    "quorum": ("at least as many", lambda row, planner: row.quorum >= planner.quorum),
    "on_deadline": (
        "no approval by silence where that one has none",
        lambda row, planner: row.on_deadline is not OnDeadline.APPROVE or planner.on_deadline is OnDeadline.APPROVE,
    ),
    "escalate": ("some of them, or of its reviewers", _escalates_within),
    "scan": ("at least that", lambda row, planner: _SCANS.index(row.scan) >= _SCANS.index(planner.scan)),
    "labels": ("the same ones", lambda row, planner: row.labels == planner.labels),
    "notify": ("some of them", lambda row, planner: {*row.notify} <= {*planner.notify}),
    "tools": ("some of them", lambda row, planner: row.callable_tools.items() <= planner.callable_tools.items()),
    "secrets": ("some of them", lambda row, planner: row.secrets.items() <= planner.secrets.items()),
    "priority": ("no sooner turn", lambda row, planner: row.priority >= planner.priority),
    "budget_usd": ("at most as much", _spends_within),
    "plan_rows": ("at most as many", lambda row, planner: row.plan_rows <= planner.plan_rows),
}
