"""The page of the audit log."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.audit.contracts import AuditFilter, AuditKind
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

ENTRIES_SHOWN: Final = 50
GROUPS: Final = tuple(dict.fromkeys(kind.value.partition(".")[0] for kind in AuditKind))

Search = Annotated[str, Query(max_length=200)]
Reads = Annotated[Access, may("audit.read")]


@router.get("/audit")
async def audit_page(
    services: Served,
    access: Reads,
    kind: Search = "",
    actor: Search = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """Show who did and decided what, newest first."""
    chosen = kind if kind in {*GROUPS, *AuditKind} else ""
    wanted = AuditFilter(kinds=(chosen,) if chosen else (), actor=actor.strip())
    found = await services.audit.page(wanted, before, ENTRIES_SHOWN + 1)
    more, found = len(found) > ENTRIES_SHOWN, found[:ENTRIES_SHOWN]
    query = {name: value for name, value in (("kind", chosen), ("actor", wanted.actor)) if value}
    return page(
        "audit.html",
        account=account_of(access),
        entries=found,
        groups={group: [one.value for one in AuditKind if one.partition(".")[0] == group] for group in GROUPS},
        kind=chosen,
        actor=wanted.actor,
        first=before is None,
        filtered=bool(query),
        newest="/audit" + (f"?{urlencode(query)}" if query else ""),
        older="/audit?" + urlencode({**query, "before": found[-1].sequence}) if more else "",
        export="/api/v1/audit/export" + (f"?{urlencode(query)}" if query else ""),
    )
