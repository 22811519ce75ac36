"""Which variant a unit gets. Pure."""

import hashlib
from collections.abc import Sequence
from itertools import accumulate

from activities.experiments.contracts import Unit
from catalogs.experiment import Variant
from catalogs.row import CatalogRow

_BITS = 64


def unit_of(row: CatalogRow, run: str, unit: Unit) -> str:
    """Return what a row's variant sticks to: the key that it says, or the row itself."""
    assert row.experiment is not None  # noqa: S101 -- asked for rows that take part
    if row.experiment.key:
        return f"key/{row.experiment.key}"
    here = f"row/{row.board}/{row.id}"
    return f"run/{run}/{here}" if unit is Unit.RUN else here


def drawn(experiment: str, unit: str, variants: Sequence[Variant]) -> Variant:
    """Return the variant of a unit: as if by chance, in proportion to the shares, and always the same."""
    digest = hashlib.sha256(f"{experiment}\n{unit}".encode()).digest()
    total = sum(variant.share for variant in variants)
    point = int.from_bytes(digest[: _BITS // 8]) * total >> _BITS
    ends = accumulate(variant.share for variant in variants)
    return next(variant for variant, end in zip(variants, ends, strict=True) if point < end)
