"""Compiling a catalog: from bytes to a stored plan, in bounded memory.

The first pass checks every row and lays it on disk; the second writes the plan's pages in execution order.
"""

import hashlib
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import NonNegativeInt

from catalogs.demand import Demand, DemandTally
from catalogs.dependencies import Dependencies
from catalogs.faults import Fault, Findings, InvalidCatalog
from catalogs.graph import execution_order
from catalogs.options import ReadOptions
from catalogs.plan import PAGE_ROWS, Plan
from catalogs.reader import CatalogReader
from catalogs.spool import RowSpool
from catalogs.totals import CatalogTotals, Tally
from temporal.contract import Contract
from temporal.names import ErrorCode

Put = Callable[[bytes], str]


class CompiledCatalog(Contract):
    """A catalog that can run.

    Args:
        digest: Of the stored plan.
        plan: The manifest.
        totals: What its rows amount to.
        demands: What they ask of models.
        warnings: Warnings kept, in file order.
        warnings_found: How many there were.
        left_out: With ``skip_invalid``, the errors kept; their rows are not in the plan.
        left_out_found: How many errors there were.
        rows_left_out: How many rows of the file are not in the plan.
    """

    digest: str
    plan: Plan
    totals: CatalogTotals
    demands: tuple[Demand, ...] = ()
    warnings: tuple[Fault, ...] = ()
    warnings_found: NonNegativeInt = 0
    left_out: tuple[Fault, ...] = ()
    left_out_found: NonNegativeInt = 0
    rows_left_out: NonNegativeInt = 0


def compile_catalog(
    source: BinaryIO | Path, title: str, put: Put, options: ReadOptions | None = None
) -> CompiledCatalog:
    """Check a catalog and store its plan. The same bytes give the same plan, byte for byte.

    Args:
        source: The file, or a stream that is read forward once.
        title: What a run of it is called.
        put: Stores bytes and returns their digest.
        options: How to read it.

    Raises:
        InvalidCatalog: It has errors, and they are not to be skipped, or no row is left.
    """
    options = options or ReadOptions()
    findings = Findings(options.keep_faults)
    with _opened(source) as stream, RowSpool() as spool:
        hashed = _Hashed(stream)
        reader = CatalogReader(cast("BinaryIO", hashed), options, findings)
        dependencies = Dependencies(findings)
        priorities = array("B")
        tally, demand = Tally(), DemandTally()
        named: set[str] = set()
        for row in reader:
            spool.append(row)
            named.update(row.tools, *row.team_tools.values())
            priorities.append(row.priority)
            dependencies.add(row)
            tally.add(row)
            demand.add(row)
        dropped = dependencies.resolve(reader.rejected, reader.waiting, skip=options.skip_invalid)
        _refuse(findings, len(spool) - len(dropped), options)
        order = _order(len(spool), dependencies, priorities, dropped)
        for tool in options.tools or ():
            if tool.name in named:
                put(tool.document)
        pages = _write_pages(order, dependencies, spool, put)
    plan = Plan(title=title, source=f"sha256:{hashed.hexadecimal}", total=len(order), pages=pages)
    digest = put(plan.document)
    return CompiledCatalog(
        digest=digest,
        plan=plan,
        totals=tally.over(order),
        demands=demand.over(order, dependencies.upstream),
        warnings=findings.warnings,
        warnings_found=findings.warnings_found,
        left_out=findings.errors,
        left_out_found=findings.errors_found,
        rows_left_out=reader.rows - len(order),
    )


def _refuse(findings: Findings, remaining: int, options: ReadOptions) -> None:
    unreadable = any(fault.code is ErrorCode.MISSING_COLUMN for fault in findings.errors)
    if findings.errors_found and (unreadable or not remaining or not options.skip_invalid):
        raise InvalidCatalog(findings.errors, findings.errors_found, findings.warnings)


def _order(total: int, dependencies: Dependencies, priorities: Sequence[int], dropped: frozenset[int]) -> Sequence[int]:
    order = execution_order(total, dependencies.upstream, priorities)
    return array("L", (row for row in order if row not in dropped)) if dropped else order


def _write_pages(order: Sequence[int], dependencies: Dependencies, spool: RowSpool, put: Put) -> tuple[str, ...]:
    places = array("L", [0]) * len(spool)
    for place, row in enumerate(order):
        places[row] = place
    counts = array("L", [0]) * len(spool)
    for row in order:
        for dependency in dependencies.upstream.get(row, ()):
            counts[dependency] += 1
    pages = []
    for first in range(0, len(order), PAGE_ROWS):
        rows = (
            b'{"index":%d,"row":%b,"upstream":[%b],"dependants":%d}'
            % (
                place,
                spool.read(row),
                ",".join(map(str, sorted(places[up] for up in dependencies.upstream.get(row, ())))).encode(),
                counts[row],
            )
            for place, row in enumerate(order[first : first + PAGE_ROWS], start=first)
        )
        pages.append(put(b'{"rows":[%b]}' % b",".join(rows)))
    return tuple(pages)


def _opened(source: BinaryIO | Path) -> AbstractContextManager[BinaryIO]:
    return source.open("rb") if isinstance(source, Path) else nullcontext(source)


class _Hashed:
    """A stream that knows the digest of what was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    @property
    def hexadecimal(self) -> str:
        return self._hash.hexdigest()
