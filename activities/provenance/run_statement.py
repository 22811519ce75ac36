"""The in-toto statement of a run: what its rows came to, under one Merkle root."""

from typing import Any, Final

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError

from activities.artifacts.contracts import Digest
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.merkle import ALGORITHM
from activities.provenance.rows import Rows
from activities.provenance.run_contracts import RunSeal, RunSealRequest
from activities.provenance.statement import digest_set
from activities.provenance.uris import BUILDER, RUN_SEAL, STATEMENT_TYPE
from temporal.contract import Contract

ROWS_FILE: Final = "rows.jsonl"
SBOM_FILE: Final = "sbom.cdx.json"
SIGSTORE_FILE: Final = "sigstore.jsonl"


class SealedRows(Contract):
    """The rows of a run in its seal.

    Args:
        algorithm: How they are summed up.
        root: Root of the Merkle tree over them, in hex.
        size: How many there are.
        sealed: How many of them have an envelope.
    """

    algorithm: str = ALGORITHM
    root: str
    size: NonNegativeInt
    sealed: NonNegativeInt


class SealBefore(Contract):
    """The seal of the run's end before."""

    envelope: Digest
    root: str


class Material(Contract):
    """A file, by digest."""

    name: str
    digest: dict[str, str]


class Builder(Contract):
    """What ended the run, and what that is made of."""

    id: str = BUILDER
    sbom: Material


class RunPredicate(Contract):
    """What the seal of a run says; ``FORMATS.md`` explains each field.

    Args:
        catalog: Digest of the catalog as submitted.
        number: Which of the run's ends it is, from 1.
        previous: The seal of the end before, where the run was retried.
        countersigned: What an identity signed besides the key: this statement without this field.
    """

    run: str
    title: str
    plan: Digest
    catalog: str
    state: str
    counts: dict[str, NonNegativeInt]
    finished_on: str = Field(alias="finishedOn")
    rows: SealedRows
    number: PositiveInt
    previous: SealBefore | None = None
    builder: Builder
    countersigned: Material | None = None


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
    told = RunPredicate(
        **request.model_dump(include={"run", "title", "plan", "state", "counts"}),
        catalog=catalog,
        finishedOn=request.finished_at,
        rows=SealedRows(root=rows.root, size=rows.size, sealed=rows.sealed),
        number=previous.number + 1 if previous else 1,
        previous=SealBefore(envelope=previous.envelope, root=previous.root) if previous else None,
        builder=Builder(sbom=Material(name=SBOM_FILE, digest=digest_set(sbom))),
    )
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"{request.run}/{ROWS_FILE}", "digest": digest_set(rows.digest)}],
        "predicateType": RUN_SEAL,
        "predicate": told.model_dump(mode="json", by_alias=True, exclude={"countersigned"}),
    }


def with_countersignature(statement: dict[str, Any], bundle: Digest) -> dict[str, Any]:
    """Return a run's statement that names what was signed besides the key, so that nobody can take it away."""
    named = Material(name=SIGSTORE_FILE, digest=digest_set(bundle)).model_dump()
    return statement | {"predicate": statement["predicate"] | {"countersigned": named}}


def without_countersignature(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a run's statement as it was signed besides the key."""
    told = {name: value for name, value in statement["predicate"].items() if name != "countersigned"}
    return statement | {"predicate": told}


def run_predicate(statement: dict[str, Any]) -> RunPredicate:
    """Return what a run's statement says.

    Raises:
        ProvenanceInvalid: It does not say it in the form of this version.
    """
    try:
        return RunPredicate.model_validate(statement.get("predicate"))
    except ValidationError:
        raise ProvenanceInvalid("the statement is not the seal of a run as Prism writes it") from None
