"""All that is wrong with a catalog: what its reader finds, and what the policy says of it as a whole."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from activities.policy.engine import PolicyEngine
from api.estimate_models import Estimate
from api.models import Validation
from catalogs.compiler import compile_catalog
from catalogs.demand import Demand
from catalogs.faults import InvalidCatalog
from catalogs.options import ReadOptions

Estimated = Callable[[Sequence[Demand]], Awaitable[Estimate | None]]


async def checked(
    source: BinaryIO | Path,
    options: ReadOptions,
    policy: PolicyEngine | None = None,
    submitter: str = "",
    estimated: Estimated | None = None,
) -> Validation:
    """Return all that is wrong with a catalog; nothing is stored or started.

    Args:
        source: The catalog.
        options: How it is read.
        policy: Decides on what can be read; ``None`` where it is asked later.
        submitter: Who would submit it.
        estimated: Reckons what it would cost; ``None`` where nobody asks.

    Raises:
        PolicyUnavailable: No decision could be reached.
    """
    try:
        compiled = await asyncio.to_thread(compile_catalog, source, "validation", _keep_nothing, options)
    except InvalidCatalog as error:
        return Validation(
            valid=False, errors_found=error.found, errors=list(error.faults), warnings=list(error.warnings)
        )
    decision = await policy.admit_catalog(compiled.totals, submitter) if policy else None
    return Validation(
        valid=decision is None or decision.allow,
        rows=compiled.plan.total,
        errors_found=compiled.left_out_found,
        errors=list(compiled.left_out),
        warnings=list(compiled.warnings),
        denied=list(decision.deny) if decision else [],
        estimate=await estimated(compiled.demands) if estimated else None,
    )


def _keep_nothing(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
