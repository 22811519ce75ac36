"""Validating and submitting catalogs."""

import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Request, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from api.checking import checked
from api.errors import BadRequest, UnsupportedMediaType, errors, value_faults
from api.estimate_models import Estimate
from api.estimating import estimate
from api.models import Cell, Submission, Submitted, Validation
from api.permission import Access, Ground, may
from api.services import Served, Services
from api.submission import Submitter, submit
from catalogs.demand import Demand
from catalogs.options import ReadOptions
from workers.reflections import in_use
from workflows.contracts import RunOptions

router = APIRouter(tags=["catalogs"])

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **{
            name: {"type": "string"}
            for name in (
                "title",
                "run",
                "map",
                "concurrency",
                "budget_usd",
                "literal",
                "skip_invalid",
                "pin_policy",
                "tool_rounds",
                "tool_calls",
                "submitter",
            )
        },
    },
}
# The body is one of three types, which FastAPI cannot derive from a signature.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Submission"}},
            "text/csv": {"schema": {"type": "string"}},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
Submits = Annotated[Access, may("runs.submit", Ground.SOME_BOARDS)]
Validates = Annotated[Access, may("catalogs.validate", Ground.SOME_BOARDS)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post(
    "/catalogs/validate",
    responses=errors(400, 415, 422, 503),
    openapi_extra=_BODY,
)
async def validate_catalog(request: Request, services: Served, access: Validates) -> Validation:
    """Say all that is wrong with a catalog, and what it would cost. Nothing is stored or started."""

    async def estimated(demands: Sequence[Demand]) -> Estimate | None:
        return await estimate(services, demands, _limits(submission, services), with_budgets=access.boards is None)

    async with _read(request) as (source, submission):
        submitter = access.principal.acting_as(submission.submitter)
        return await checked(source, await _options(submission, services), services.policy, submitter, estimated)


@router.post(
    "/runs",
    status_code=201,
    responses={200: {"model": Submitted}, **errors(400, 409, 415, 422, 503)},
    openapi_extra=_BODY,
)
async def submit_catalog(
    request: Request, response: Response, services: Served, access: Submits, idempotency_key: Key = None
) -> Submitted:
    """Start a run of a catalog.

    The same catalog under the same ``Idempotency-Key`` (or the same ``run``) is started once, however often it is
    sent: later answers have status 200 and ``created: false``.
    """
    async with _read(request) as (source, submission):
        submitted = await submit(
            services,
            source,
            title=submission.title,
            options=await _options(submission, services),
            run=submission.run,
            idempotency_key=idempotency_key,
            run_options=await _run_options(submission, services),
            submitter=Submitter(access.principal.acting_as(submission.submitter), access.boards),
        )
    response.status_code = 201 if submitted.created else 200
    return submitted


async def _options(submission: Submission, services: Services) -> ReadOptions:
    options = ReadOptions(
        columns=submission.map,
        literal=submission.literal,
        skip_invalid=submission.skip_invalid,
        experiments=await services.experiments.variants(),
    )
    return options.model_copy(update=await in_use(services.settings, services.stores.engine))


def _limits(submission: Submission, services: Services) -> RunOptions:
    given = submission.model_dump(include={"tool_rounds", "tool_calls"}, exclude_none=True)
    return RunOptions(
        concurrency=submission.concurrency or services.settings.concurrency,
        judge_group=services.settings.judge_group,
        budget_usd=submission.budget_usd,
        **given,
    )


async def _run_options(submission: Submission, services: Services) -> RunOptions:
    pinned = await services.policy.keep() if submission.pin_policy else None
    return _limits(submission, services).model_copy(update={"policy": pinned})


@contextlib.asynccontextmanager
async def _read(request: Request) -> AsyncIterator[tuple[BinaryIO, Submission]]:
    """Give the catalog's bytes and how they are to be read; a form's files are closed at the end.

    Raises:
        UnsupportedMediaType: The body is neither JSON, CSV nor a form.
        BadRequest: It is not what its type says.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        submission = _parsed(await request.body())
        yield io.BytesIO(_text(submission).encode()), submission
    elif kind == "text/csv":
        yield io.BytesIO(await request.body()), _checked({"csv": "", **_flags(request.query_params)})
    elif kind == "multipart/form-data":
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise BadRequest("the form has no file under the name 'file'")
            values = {name: value for name, value in form.items() if isinstance(value, str)}
            values.setdefault("title", file.filename or "catalog")
            yield file.file, _checked({"csv": "", **_flags(values)})
    else:
        raise UnsupportedMediaType(
            f"content type {kind or 'none'} is not taken; send application/json, text/csv or multipart/form-data"
        )


def _parsed(body: bytes) -> Submission:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object")
    return _checked(document)


def _flags(values: Any) -> dict[str, Any]:  # noqa: ANN401 -- a form's or a query's mapping
    """Return the fields of a form or query as a submission has them; ``map`` is ``a=b`` or JSON."""
    given = {name: value for name, value in values.items() if name != "map" and value != ""}
    text = str(values.get("map", "")).strip()
    if text.startswith("{"):
        try:
            given["map"] = json.loads(text)
        except ValueError as error:
            raise BadRequest(f"map is not JSON: {error}") from error
    elif text:
        pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
        if odd := next((theirs for theirs, sign, ours in pairs if not (theirs and sign and ours)), None):
            raise BadRequest(f"map has {odd!r} where file_column=prism_column is expected, such as prompt=objective")
        given["map"] = {theirs: ours for theirs, _, ours in pairs}
    return given


def _text(submission: Submission) -> str:
    """Return the catalog's text; rows are written with every cell quoted, so that none reads as a comment."""
    if not submission.rows:
        return submission.csv
    columns = list(dict.fromkeys(name for row in submission.rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in submission.rows)
    return text.getvalue()


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(document: dict[str, Any]) -> Submission:
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        faults, told = value_faults(error.errors())
        raise BadRequest(f"the submission is not valid: {told}", faults=faults) from error
