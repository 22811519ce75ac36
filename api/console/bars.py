"""The bar that shows how many rows are in which state."""

from collections.abc import Mapping
from typing import Final

from activities.records.contracts import RowState

# A bar shows what went well first, then what waits for somebody, then what went wrong.
BAR_ORDER: Final = (
    RowState.SUCCEEDED,
    RowState.RUNNING,
    RowState.REVIEW,
    RowState.FAILED,
    RowState.VERIFICATION_FAILED,
    RowState.DENIED,
    RowState.REJECTED,
    RowState.BLOCKED,
    RowState.SKIPPED,
    RowState.CANCELLED,
    RowState.PENDING,
)


def bar(counts: Mapping[RowState, int], total: int = 0) -> list[tuple[str, int, float, float]]:
    """Return the parts of a bar: state, rows, offset and width, both in percent.

    Args:
        counts: Rows by state.
        total: How many rows there will be, where not all have been opened yet.
    """
    total = max(total, sum(counts.values()), 1)
    parts: list[tuple[str, int, float, float]] = []
    offset = 0.0
    for state in BAR_ORDER:
        rows = counts.get(state, 0)
        if rows:
            width = 100 * rows / total
            parts.append((state.value, rows, round(offset, 3), round(width, 3)))
            offset += width
    return parts
