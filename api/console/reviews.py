"""The inbox, and what a row's page shows of its review."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.identity.contracts import Principal, Role
from activities.records.database import timestamp
from activities.reviews.contracts import ReviewState
from activities.reviews.views import ReviewFilter, ReviewView
from api.console.diffs import Line, side_by_side
from api.console.render import Account, page
from api.permission import Access, Ground, may
from api.review_models import ReviewRound
from api.reviewing import detail, mine, themselves
from api.services import Served, Services
from catalogs.row import Risk

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Reads = Annotated[Access, may("runs.read", Ground.SOME_BOARDS)]
Short = Annotated[str, Query(max_length=200)]
SHOWN: Final = 100
# A text beyond this is compared elsewhere: a page stays a page.
MOST_COMPARED: Final = 200_000


# Filters of the inbox: what they are called, and how far ahead they look.
DUES: Final = {
    "late": ("Overdue", timedelta()),
    "day": ("Due within a day", timedelta(days=1)),
    "week": ("Due within a week", timedelta(days=7)),
}


@dataclass(frozen=True)
class ShownRound:
    """A round as a page shows it.

    Args:
        changes: Against the text of the round before; empty where there is none to compare.
    """

    review: ReviewRound
    changes: list[Line]


@dataclass(frozen=True)
class ShownReview:
    """What a row's page shows of its review: the round that waits, and all rounds, the newest first."""

    waiting: ReviewRound | None
    may_decide: bool
    rounds: list[ShownRound]


@router.get("/reviews")
async def inbox_page(
    services: Served,
    access: Reads,
    everybody: Annotated[bool, Query()] = False,
    board: Short = "",
    risk: Short = "",
    due: Short = "",
    q: Short = "",
) -> Response:
    """Show what waits for a person, the most urgent first."""
    last_event = await services.queries.last_event()
    own = None if everybody else mine(services, access.principal)
    person = "" if everybody else themselves(access.principal)
    fitting = ReviewFilter(reviewers=own, person=person, boards=access.boards, limit=SHOWN)
    wanted = fitting.model_copy(
        update={"board": board, "risk": risk if risk in set(Risk) else "", "text": q, "due_before": _until(due)}
    )
    reviews = await services.register.reviews(wanted)
    return page(
        "reviews.html",
        account=account_of(access),
        reviews=reviews,
        waiting=await services.register.waiting(wanted),
        boards=await services.register.boards(fitting),
        risks=[one.value for one in Risk],
        short=await services.budgets.short() if _allows(services, access) else [],
        personal=access.principal.personal,
        everybody=everybody,
        everybody_url="/reviews?" + urlencode({"everybody": "true"}),
        board=board,
        risk=risk,
        due=due,
        dues={name: told for name, (told, _) in DUES.items()},
        q=q,
        filtered=bool(board or risk or due or q),
        last_event=last_event,
    )


def _allows(services: Services, access: Access) -> bool:
    return services.access_policy.decide(access.principal, "budgets.allow").allow


def account_of(access: Access) -> Account | None:
    """Return who is logged in, to be shown; ``None`` where nobody logs in."""
    principal = access.principal
    return Account(principal.name, access.csrf, audits=Role.ADMIN in principal.roles) if principal.personal else None


def _until(due: str) -> str:
    return timestamp(datetime.now(UTC) + DUES[due][1]) if due in DUES else ""


async def shown_review(services: Services, principal: Principal, run: str, row: str) -> ShownReview:
    """Return what a row's page shows of its review."""
    found = await detail(services, principal, run, row)
    last = found.rounds[-1] if found.rounds else None
    waiting = last if last is not None and last.state is ReviewState.WAITING else None
    shown: list[ShownRound] = []
    before: ReviewRound | None = None
    for one in found.rounds:
        shown.append(ShownRound(one, _changes(before, one)))
        before = one
    return ShownReview(waiting=waiting, may_decide=found.may_decide, rounds=shown[::-1])


async def next_review(services: Services, access: Access, run: str, row: str) -> ReviewView | None:
    """Return what else waits for somebody, the most urgent of it; ``None`` when nothing does."""
    own = mine(services, access.principal)
    wanted = ReviewFilter(reviewers=own, person=themselves(access.principal), boards=access.boards, limit=2)
    waiting = await services.register.reviews(wanted)
    return next((one for one in waiting if (one.run, one.row) != (run, row)), None)


def fields_of(review: ReviewRound) -> list[dict[str, Any]]:
    """Return the inputs of a row's form: name, label, kind of input, choices, and whether an answer is needed."""
    form = review.terms.form
    if form is None:
        return []
    return [
        {
            "name": name,
            "label": schema.get("title") or name.replace("_", " "),
            "help": schema.get("description", ""),
            "type": schema["type"],
            "choices": schema.get("enum", []),
            "required": name in form["required"],
            "default": schema.get("default", ""),
            "step": "1" if schema["type"] == "integer" else "any",
            "least": schema.get("minimum"),
            "most": schema.get("maximum"),
        }
        for name, schema in form["properties"].items()
    ]


def _changes(before: ReviewRound | None, after: ReviewRound) -> list[Line]:
    texts = (before.shown if before else None), after.shown
    if texts[0] is None or texts[1] is None or len(texts[0]) + len(texts[1]) > MOST_COMPARED:
        return []
    return side_by_side(texts[0], texts[1])
