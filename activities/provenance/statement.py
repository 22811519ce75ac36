"""The in-toto statement of a row: SLSA v1 provenance, the same bytes for the same request."""

import json
from collections.abc import Sequence
from typing import Any, Final

from activities.artifacts.contracts import Digest
from activities.artifacts.files import StoredFile
from activities.provenance.contracts import SealRequest
from activities.provenance.uris import BUILDER, ROW_BUILD, SLSA_PROVENANCE, STATEMENT_TYPE

OF_FILE: Final = "#"
"""Stands between a row and the path of a file in the name of a subject; no row's id holds it."""


def build_statement(request: SealRequest, files: Sequence[StoredFile] = ()) -> dict[str, Any]:
    """Return the statement of how an output came to be, and the files beside it.

    Args:
        request: Digests of everything that went into the output.
        files: What the row's program left.

    Returns:
        An in-toto Statement v1 whose subjects are output and files, and whose predicate is SLSA provenance v1.
    """
    step = request.step
    name = f"{step.run}/{step.row}"
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": digest_set(request.output)},
            *({"name": f"{name}{OF_FILE}{one.path}", "digest": digest_set(one.digest)} for one in files),
        ],
        "predicateType": SLSA_PROVENANCE,
        "predicate": {
            "buildDefinition": {
                "buildType": ROW_BUILD,
                "externalParameters": {
                    "run": step.run,
                    "row": step.row,
                    "rowDigest": request.row_digest,
                    "plan": request.plan,
                    "prompts": list(request.prompts),
                    "submitter": request.submitter,
                    # Absent of a row of the catalog, for the same reason as the route below.
                    **({"plannedBy": request.origin.by} if request.origin else {}),
                },
                "internalParameters": {
                    "models": list(request.models),
                    "decision": request.decision_digest,
                    "verdicts": list(request.verdicts),
                    "review": request.review,
                    "custody": [act.model_dump(mode="json", exclude_defaults=True) for act in request.custody],
                    "attempt": step.attempt,
                    "generation": request.generation,
                    # Absent where nothing was chosen: the bytes of such a statement are as before.
                    **({"route": request.route} if request.route else {}),
                    **({"experiment": request.experiment} if request.experiment else {}),
                },
                "resolvedDependencies": _dependencies(request),
            },
            "runDetails": {
                "builder": {"id": BUILDER},
                "metadata": {"invocationId": step.key, **_times(request)},
                "byproducts": _byproducts(request),
            },
        },
    }


def statement_bytes(statement: dict[str, Any]) -> bytes:
    """Return a statement's canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _dependencies(request: SealRequest) -> list[dict[str, Any]]:
    """Return what was resolved while the row ran, each with its digest or name."""
    named: list[tuple[str, Digest]] = [
        ("row", request.row_digest),
        ("plan", request.plan),
        ("policy", request.policy),
        ("policy-decision", request.decision_digest),
        *((f"upstream/{one.row}", one.output) for one in request.upstream),
        *_origin(request),
        *((one.name, one.digest) for one in request.used),
        *sorted({(f"agent/{act.agent}", act.definition) for act in request.custody if act.definition}),
        *((f"upstream-files/{one.row}", one.files) for one in request.upstream if one.files),
        *((f"prompt/{number}", digest) for number, digest in enumerate(request.prompts, start=1)),
    ]
    models = (
        {"name": f"model/{number}", "uri": f"model:{name}"} for number, name in enumerate(request.models, start=1)
    )
    return [*({"name": name, "digest": digest_set(digest)} for name, digest in named), *models]


def _origin(request: SealRequest) -> list[tuple[str, Digest]]:
    origin = request.origin
    return [(f"planned-by/{origin.by}", origin.output), ("proposal", origin.proposal)] if origin else []


def _byproducts(request: SealRequest) -> list[dict[str, Any]]:
    files = request.files.manifest if request.files else None
    made = (("code-result", request.code_result), ("files", files), ("proposal", request.proposal))
    return [{"name": name, "digest": digest_set(digest)} for name, digest in made if digest is not None]


def _times(request: SealRequest) -> dict[str, str]:
    times = {"startedOn": request.started_at, "finishedOn": request.finished_at}
    return {name: time for name, time in times.items() if time}


def named_row(statement: dict[str, Any]) -> tuple[str, str, str]:
    """Return run, row and plan that a row's statement is about; empty where it is about none."""
    try:
        made = statement["predicate"]["buildDefinition"]["externalParameters"]
        return str(made["run"]), str(made["row"]), str(made["plan"])
    except (KeyError, TypeError):
        return "", "", ""


def digest_set(digest: Digest) -> dict[str, str]:
    """Return a digest as in-toto writes it."""
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}
