"""The page of what somebody was told."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.notifications.inbox_reading import InboxFilter
from activities.records.views import NotificationView
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.routes.notifications import told_to
from api.services import Served

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

SHOWN: Final = 60
Reads = Annotated[Access, may("notifications.read")]


@router.get("/notifications")
async def notifications_page(
    services: Served,
    access: Reads,
    everybody: Annotated[bool, Query()] = False,
    unread: Annotated[bool, Query()] = False,
    before: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Show what one was told, the newest first."""
    last_event = await services.queries.last_event()
    names = told_to(services, access.principal, own=not everybody)
    wanted = InboxFilter(recipients=names, unread=unread, before=before)
    found = await services.inbox.notifications(wanted, SHOWN + 1)
    more = len(found) > SHOWN
    found = found[:SHOWN]
    everything = access.principal.personal and services.access_policy.decide(access.principal, "runs.read").allow
    return page(
        "notifications.html",
        account=account_of(access),
        notifications=found,
        home=home,
        unseen=await services.inbox.unread(wanted),
        everybody=everybody,
        everything=everything,
        unread=unread,
        older=_address(everybody=everybody, unread=unread, before=found[-1].cursor) if more else "",
        tabs=[
            ("Mine", _address(unread=unread), not everybody),
            ("Everybody's", _address(everybody=True, unread=unread), everybody),
        ],
        first=not before,
        newest=_address(everybody=everybody, unread=unread),
        last_event=last_event,
    )


def home(note: NotificationView) -> str:
    """Return the page of what a notification tells of."""
    if not note.run:
        return "/secrets"
    *_, step, _ = note.key.split("/")
    elsewhere = {("experiments", "winner"): f"/experiments#{note.row}", ("feedback", "dataset"): "/feedback"}
    row = f"/rows/{quote(note.row)}" if note.row else ""
    return elsewhere.get((note.run, step), f"/runs/{quote(note.run)}{row}")


def _address(*, everybody: bool = False, unread: bool = False, before: str = "") -> str:
    given = {"everybody": "true" * everybody, "unread": "true" * unread, "before": before}
    given = {name: value for name, value in given.items() if value}
    return f"/notifications?{urlencode(given)}" if given else "/notifications"
