"""The audit log, for administrators."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints
from starlette.responses import StreamingResponse

from activities.audit.contracts import AuditEvent, AuditFilter, AuditKind, AuditReport
from activities.records.database import timestamp
from api.errors import BadRequest, errors
from api.models import AuditPage
from api.permission import may
from api.services import Served

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[may("audit.read")])

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,30}(\.[a-z_]{1,30})?$")]
Kinds = Annotated[list[Kind], Query(max_length=30, description="Kinds, or their first part, such as login")]
Actor = Annotated[str, Query(max_length=200)]
# A number would be taken for seconds by pydantic's own type.
_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$"
Moment = Annotated[
    str, Query(pattern=f"{_ISO}|^$", description="A day or a moment, ISO 8601; without a zone it is UTC")
]
# A line is half a kilobyte.
_LINES = 200


@router.get("", responses=errors(400, 422, 503))
async def list_entries(
    services: Served,
    kind: Kinds = [],  # noqa: B006 -- FastAPI copies it
    actor: Actor = "",
    since: Moment = "",
    until: Moment = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """List entries, newest first; ``next`` goes into ``before`` for the next page."""
    found = await services.audit.page(wanted(kind, actor, since, until), before, limit)
    return AuditPage(entries=found, next=found[-1].sequence if len(found) == limit else None)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}, **errors(400, 422, 503)},
)
async def export_entries(
    services: Served,
    kind: Kinds = [],  # noqa: B006 -- FastAPI copies it
    actor: Actor = "",
    since: Moment = "",
    until: Moment = "",
) -> StreamingResponse:
    """Download entries as JSON lines, oldest first, with a signed last line; that it was done is an entry itself."""
    chosen = wanted(kind, actor, since, until)
    await services.audit.write(AuditEvent(kind=AuditKind.AUDIT_EXPORTED, detail=chosen.model_dump(mode="json")))
    lines = await services.audit.export(chosen)
    headers = {"content-disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(_chunks(lines), media_type="application/x-ndjson", headers=headers)


@router.post("/verify", responses=errors(422, 503))
async def verify_log(services: Served) -> AuditReport:
    """Read the whole log and say all that is wrong with it."""
    return await services.audit.verify()


def wanted(kinds: list[str], actor: str, since: str, until: str) -> AuditFilter:
    """Return a filter.

    Raises:
        BadRequest: There is no such moment.
    """
    return AuditFilter(kinds=tuple(kinds), actor=actor, since=_utc(since), until=_utc(until))


def _utc(text: str) -> str:
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"there is no moment {text}") from error


def _chunks(lines: Iterator[str]) -> Iterator[str]:
    while chunk := "".join(islice(lines, _LINES)):
        yield chunk
