"""Notifications: what somebody was told, and what of it they have seen."""

from typing import Annotated

from fastapi import APIRouter, Query

from activities.identity.contracts import Principal
from activities.notifications.inbox_reading import InboxFilter
from api.errors import errors
from api.models import Notifications, Seen, SeenBody
from api.permission import Access, may
from api.reviewing import mine
from api.services import Served, Services

router = APIRouter(tags=["notifications"])

Reads = Annotated[Access, may("notifications.read")]


def told_to(services: Services, principal: Principal, *, own: bool) -> tuple[str, ...] | None:
    """Return whose notifications somebody gets; ``None`` for everybody's.

    Who may see every run may see what was told of them to others; who may not, gets their own.
    """
    own = own or not services.access_policy.decide(principal, "runs.read").allow
    return mine(services, principal) if own else None


@router.get("/notifications", responses=errors(422, 503))
async def list_notifications(
    services: Served,
    access: Reads,
    recipient: Annotated[str, Query(max_length=200)] = "",
    run: Annotated[str, Query(max_length=80)] = "",
    own: Annotated[bool, Query(alias="mine", description="Only what was told to you, by name or role.")] = False,
    unread: Annotated[bool, Query(description="Only what was not seen.")] = False,
    before: Annotated[str, Query(max_length=1000)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Notifications:
    """List notifications, newest first."""
    names = told_to(services, access.principal, own=own)
    wanted = InboxFilter(recipients=names, recipient=recipient, run=run, unread=unread, before=before)
    found = await services.inbox.notifications(wanted, limit)
    return Notifications(
        notifications=found,
        unread=await services.inbox.unread(wanted),
        next=found[-1].cursor if len(found) == limit else None,
    )


@router.post("/notifications/read", responses=errors(422, 503))
async def mark_notifications_read(body: SeenBody, services: Served, access: Reads) -> Seen:
    """Mark notifications as read: those named, or all of one's own. Nobody marks what others were told."""
    names = told_to(services, access.principal, own=True)
    wanted = InboxFilter(recipients=names, keys=tuple(body.keys))
    return Seen(marked=await services.inbox.mark_read(wanted))
