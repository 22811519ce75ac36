"""Reviews: the inbox, a row's rounds, and every kind of decision."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from activities.reviews.contracts import DecisionKind
from activities.reviews.views import ReviewFilter
from api.errors import errors
from api.models import DecisionBody
from api.permission import Access, Ground, may
from api.review_models import BulkBody, BulkDecided, Decided, ReviewBody, ReviewDetail, ReviewQuery, Reviews
from api.reviewing import decide, decide_many, detail, mine, signed, themselves
from api.services import Served

router = APIRouter(tags=["reviews"])

Reads = Annotated[Access, may("runs.read", Ground.SOME_BOARDS)]
ReadsRow = Annotated[Access, may("runs.read", Ground.ROW)]
Decides = Annotated[Access, may("reviews.decide", Ground.ROW)]
DecidesSome = Annotated[Access, may("reviews.decide", Ground.SOME_BOARDS)]
DECIDING = errors(400, 403, 404, 409, 422, 503)
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.get("/reviews", responses=errors(422, 503))
async def list_reviews(services: Served, access: Reads, asked: Annotated[ReviewQuery, Query()]) -> Reviews:
    """List reviews, the most urgent first: all, those of a ``reviewer``, or with ``mine`` one's own."""
    reviewers = mine(services, access.principal) if asked.mine else (asked.reviewer,) if asked.reviewer else None
    wanted = ReviewFilter(
        state=None if asked.state == "all" else asked.state,
        reviewers=reviewers,
        person=themselves(access.principal) if asked.mine else "",
        boards=access.boards,
        text=asked.q,
        **asked.model_dump(include={"run", "board", "risk", "due_before", "limit", "offset"}),
    )
    return Reviews(reviews=await services.register.reviews(wanted), waiting=await services.register.waiting(wanted))


@router.post("/reviews/decide", responses=errors(422, 503))
async def decide_on_many(body: BulkBody, services: Served, access: DecidesSome) -> BulkDecided:
    """Decide on several reviews, each by itself; the answer says what became of each."""
    return await decide_many(services, access.principal, body, access.boards)


@router.get("/runs/{run}/reviews/{row:path}", responses=errors(404, 422, 503))
async def get_review(run: str, row: str, services: Served, access: ReadsRow) -> ReviewDetail:
    """Show every round of a row's review: the texts, who may decide, what was decided."""
    return await detail(services, access.principal, run, row)


@router.post("/runs/{run}/rows/{row:path}/decide", responses=DECIDING)
async def decide_on_row(
    run: str, row: str, body: ReviewBody, services: Served, access: Decides, idempotency_key: Key = None
) -> Decided:
    """Approve, edit, answer, reject, request changes, reassign, claim, release or comment.

    The row decides whether it counts: the right person, the right round, once. Repetitions under one
    ``Idempotency-Key`` are one decision.
    """
    decision = await signed(services, access.principal, run, row, body)
    return await decide(services, run, row, decision, idempotency_key)


@router.post("/runs/{run}/rows/{row:path}/approve", responses=DECIDING)
async def approve(run: str, row: str, body: DecisionBody, services: Served, access: Decides) -> Decided:
    """Approve the output of a row that waits for a review."""
    full = ReviewBody(kind=DecisionKind.APPROVE, **body.model_dump())
    return await decide(services, run, row, await signed(services, access.principal, run, row, full))


@router.post("/runs/{run}/rows/{row:path}/reject", responses=DECIDING)
async def reject(run: str, row: str, body: DecisionBody, services: Served, access: Decides) -> Decided:
    """Reject the output of a row that waits for a review, with a reason; the row ends."""
    full = ReviewBody(kind=DecisionKind.REJECT, **body.model_dump())
    return await decide(services, run, row, await signed(services, access.principal, run, row, full))
