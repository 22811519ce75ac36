"""The page of one's own account, and the page of users for administrators."""

from typing import Annotated, Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

from activities.identity.contracts import Principal, Role
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served, Services

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Owner = Annotated[Access, may("account.manage")]
Manager = Annotated[Access, may("users.manage")]

# Days a token may be good; the API takes any number up to a leap year.
LIFETIMES: Final = (7, 30, 90, 366)
ROLES: Final = {
    Role.VIEWER: "sees runs, outputs and events",
    Role.SUBMITTER: "starts runs",
    Role.REVIEWER: "decides reviews, allows more of a budget",
    Role.OPERATOR: "pauses, retries, skips and cancels",
    Role.ADMIN: "all of it, and users",
}
SCOPES: Final = {
    "runs.read": "see runs and rows",
    "runs.submit": "start runs",
    "runs.steer": "pause, retry, skip, cancel",
    "reviews.decide": "decide reviews",
    "outputs.rate": "rate outputs",
    "feedback.read": "see how good agents, models and prompts are",
    "feedback.export": "export preference pairs",
    "feedback.reflect": "have changed prompts proposed",
    "experiments.read": "see experiments",
    "experiments.manage": "begin and end experiments",
    "catalogs.validate": "validate catalogs",
    "events.read": "follow events",
    "notifications.read": "read notifications",
    "artifacts.read": "read outputs",
    "provenance.verify": "verify provenance",
    "system.read": "read metrics, queues and spending",
    "settings.read": "read settings",
    "cache.clear": "clear the cache of answers",
    "payloads.decode": "decrypt what Temporal stores",
    "budgets.read": "see budgets",
    "budgets.allow": "allow more of a budget",
    "scans.read": "see what scans found",
    "scans.start": "start scans",
    "secrets.read": "see which secrets there are",
    "secrets.write": "set, replace and remove secrets",
    "users.manage": "manage users",
    "audit.read": "read the audit log",
    "account.read": "ask who it is",
}


@router.get("/account")
async def account_page(services: Served, access: Owner) -> Response:
    """Show one's roles, sessions and tokens; where nobody logs in there are none, and it leads to the runs."""
    principal = access.principal
    if not principal.personal:
        return RedirectResponse("/", status_code=303)
    return page(
        "account.html",
        account=account_of(access),
        principal=principal,
        has_password=(await services.identity.users.get(principal.name)).has_password,
        sessions=await services.identity.sessions.of(principal.name),
        tokens=await services.identity.tokens.of(principal.name),
        scopes={name: SCOPES[name] for name in SCOPES if _within_reach(services, principal, name)},
        lifetimes=LIFETIMES,
        roles=ROLES,
    )


@router.get("/users")
async def users_page(services: Served, access: Manager) -> Response:
    """Show everybody who has an account and what they may do."""
    return page(
        "users.html",
        account=account_of(access),
        users=await services.identity.users.all(),
        roles=ROLES,
        enforced=services.settings.auth == "on",
    )


def _within_reach(services: Services, principal: Principal, action: str) -> bool:
    """Return whether a token with this scope could do anything in one's name, everywhere or on one's boards."""
    places = ["", *(grant.board for grant in principal.boards)]
    return any(services.access_policy.decide(principal, action, board=board).allow for board in places)
