"""The in-toto statement of a run: what its rows came to, under one Merkle root."""

from typing import Any, Final

from activities.artifacts.contracts import Digest
from activities.provenance.merkle import ALGORITHM
from activities.provenance.rows import Rows
from activities.provenance.run_contracts import RunSeal, RunSealRequest
from activities.provenance.statement import digest_set
from activities.provenance.uris import BUILDER, RUN_SEAL, STATEMENT_TYPE

ROWS_FILE: Final = "rows.jsonl"
SBOM_FILE: Final = "sbom.cdx.json"


def build_run_statement(
    request: RunSealRequest, rows: Rows, *, catalog: str, sbom: Digest, previous: RunSeal | None
) -> dict[str, Any]:
    """Return the statement of how a run ended.

    Args:
        request: The run and its end.
        rows: Its rows.
        catalog: Digest of the catalog as submitted.
        sbom: Digest of the bill of materials of the platform that ends the run.
        previous: The seal of the run's end before, where it was retried.

    Returns:
        An in-toto Statement v1 whose subject is the file of the rows.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"{request.run}/{ROWS_FILE}", "digest": digest_set(rows.digest)}],
        "predicateType": RUN_SEAL,
        "predicate": {
            "run": request.run,
            "title": request.title,
            "plan": request.plan,
            "catalog": catalog,
            "state": request.state,
            "counts": request.counts,
            "finishedOn": request.finished_at,
            "rows": {"algorithm": ALGORITHM, "root": rows.root, "size": rows.size, "sealed": rows.sealed},
            "number": previous.number + 1 if previous else 1,
            "previous": {"envelope": previous.envelope, "root": previous.root} if previous else None,
            "builder": {"id": BUILDER, "sbom": {"name": SBOM_FILE, "digest": digest_set(sbom)}},
        },
    }
