"""What the front doors tell the audit log themselves, as no transaction of the records does."""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request

from activities.audit.contracts import NOBODY, AuditEvent, AuditKind
from activities.audit.rows import steering_event
from activities.identity.contracts import Principal
from activities.records.contracts import Steering
from temporal.errors import PrismError
from workflows.contracts import Steered

log = logging.getLogger(__name__)

_MINUTE: Final = 60


def steered(run: str, signal: Callable[..., Any], said: Steered) -> AuditEvent:
    """Return the event of a run that somebody steered. Each time counts: pausing twice is two acts."""
    detail = said.model_dump(mode="json", exclude={"by", "act"})
    return steering_event(Steering(run=run, signal=signal.__name__, act=said.act, by=said.by, detail=detail))


async def denied(request: Request, error: PrismError) -> None:
    """Record that somebody was refused; the same refusal once a minute, whoever knocks more often.

    The refusal itself never waits for the log to be writable: what was not allowed stays undone.
    """
    principal: Principal | None = request.scope.get("state", {}).get("principal")
    name = principal.name if principal else NOBODY
    action = str(error.details.get("action", ""))
    act = f"{name} {action} {request.method} {request.url.path}"
    event = AuditEvent(
        kind=AuditKind.ACCESS_DENIED,
        actor=name,
        subject=request.url.path,
        detail={"method": request.method, "action": action, "reason": error.message},
        key=f"denied/{hashlib.sha256(act.encode()).hexdigest()}/{int(time.time() // _MINUTE)}",
    )
    try:
        await request.app.state.services.audit.write(event)
    except PrismError:
        log.exception("a refusal could not be recorded")
