"""The page behind a one-click link: it shows what is to be decided; only its buttons decide."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from activities.identity.contracts import Forbidden, NoSuchAccount, Principal, Via
from activities.records.contracts import RowState
from activities.reviews.contracts import DecisionKind
from activities.reviews.links import DECIDE_PAGE, DecisionClaim, LinkInvalid
from api.console.artifacts import output_of
from api.console.render import page
from api.control import known_row
from api.errors import STATUS, Conflict
from api.identification import LOCAL
from api.review_models import Decided, ReviewBody
from api.reviewing import decide, signed
from api.services import Served, Services
from temporal.errors import PrismError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

FIELDS: Final = 6
KINDS: Final = (DecisionKind.APPROVE, DecisionKind.REQUEST_CHANGES, DecisionKind.REJECT)


@router.get(DECIDE_PAGE)
async def confirmation(services: Served, token: Annotated[str, Query(max_length=4000)] = "") -> Response:
    """Show what a link would decide. Whatever fetches links for people, such as a mail scanner, decides nothing."""
    try:
        claim = services.links.read(token)
        if await services.used_links.used(token):
            raise LinkInvalid("this link was used already; every link decides once")
        return await _form(services, claim, token)
    except PrismError as error:
        return _told(error)


@router.post(DECIDE_PAGE)
async def confirmed(request: Request, services: Served) -> Response:
    """Decide, once."""
    async with request.form(max_files=0, max_fields=FIELDS) as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    token, comment = given.get("token", ""), given.get("comment", "")[:10_000]
    try:
        claim = services.links.read(token)
        kind = DecisionKind(given.get("kind", ""))
    except PrismError as error:
        return _told(error)
    except ValueError:
        return _told(LinkInvalid("choose one of the buttons"))
    try:
        decided = await _decide(services, claim, token, kind, comment)
    except LinkInvalid as error:
        return _told(error)
    except PrismError as error:
        return await _form(services, claim, token, fault=error, comment=comment)
    return page("decided.html", claim=claim, kind=kind.value, decided=decided)


async def _decide(services: Services, claim: DecisionClaim, token: str, kind: DecisionKind, comment: str) -> Decided:
    principal = await _person(services, claim)
    await _current(services, claim)
    by = "" if principal.personal else claim.person
    body = ReviewBody(kind=kind, comment=comment, round=claim.round, by=by)
    decision = await signed(services, principal, claim.run, claim.row, body, via="link")
    key = await services.used_links.use(token, f"{kind.value}\n{comment}")
    try:
        return await decide(services, claim.run, claim.row, decision, f"link-{key}")
    except PrismError:
        await services.used_links.give_back(token)
        raise


async def _person(services: Services, claim: DecisionClaim) -> Principal:
    """Return the person of a link as they are now: an account that was disabled or lost its role decides nothing.

    Raises:
        Forbidden: They may not decide on this row.
    """
    if services.settings.auth == "off":
        return LOCAL
    try:
        user = await services.identity.users.get(claim.person)
    except NoSuchAccount:
        raise Forbidden(f"there is no account {claim.person}") from None
    principal = Principal(name=user.name, roles=user.roles, boards=user.boards, via=Via.SESSION)
    boards = await services.queries.boards(claim.run, claim.row)
    places = ["", *boards]
    allowed = any(services.access_policy.decide(principal, "reviews.decide", board=one).allow for one in places)
    if user.disabled or not allowed:
        raise Forbidden(f"{claim.person} may not decide on this row any more")
    return principal


async def _current(services: Services, claim: DecisionClaim) -> None:
    view = await known_row(services, claim.run, claim.row)
    if view.attempt != claim.attempt:
        raise Conflict("the row was run again since this link was sent; open the review in the console")


async def _form(
    services: Services, claim: DecisionClaim, token: str, fault: PrismError | None = None, comment: str = ""
) -> Response:
    rounds = await services.register.rounds(claim.run, claim.row)
    row = await services.queries.row(claim.run, claim.row)
    review = next((one for one in rounds if (one.attempt, one.round) == (claim.attempt, claim.round)), None)
    if row is None or review is None:
        return _told(LinkInvalid("this review is not there any more"))
    latest = rounds[-1]
    open_ = row.state is RowState.REVIEW and (latest.attempt, latest.round) == (review.attempt, review.round)
    return page(
        "decide.html",
        status=STATUS.get(fault.code, 500) if fault else 200,
        claim=claim,
        token=token,
        row=row,
        review=review,
        open=open_,
        output=await output_of(services, row),
        kinds=[kind.value for kind in KINDS if not (review.terms.form and kind is DecisionKind.APPROVE)],
        fault=fault.message if fault else "",
        comment=comment,
        url=services.links.page_of(claim.run, claim.row),
    )


def _told(error: PrismError) -> Response:
    return page(
        "decided.html", status=STATUS.get(error.code, 500), claim=None, kind="", decided=None, fault=error.message
    )
