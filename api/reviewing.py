"""Deciding on reviews and looking at them: what every front door calls."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Final

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.artifacts.contracts import ArtifactNotFound
from activities.identity.contracts import Principal, Via
from activities.records.contracts import RowState
from activities.reviews.contracts import ReviewDecision, ReviewOutcome, ReviewState
from activities.reviews.views import ReviewFilter, ReviewView
from api.control import known_row
from api.errors import Conflict
from api.review_models import (
    BulkBody,
    BulkDecided,
    BulkResult,
    Decided,
    Place,
    ReviewBody,
    ReviewDetail,
    ReviewRound,
)
from api.services import Services
from catalogs.row import ROLE_PREFIX
from temporal.client import TemporalUnavailable
from temporal.contract import row_workflow_id
from temporal.errors import PrismError
from temporal.names import ErrorCode
from workflows.review_rules import represented
from workflows.row import RowWorkflow

# A worker takes an update within milliseconds; whoever waits for longer is better told that it is kept.
ANSWER_WITHIN: Final = timedelta(seconds=8)
AT_ONCE: Final = 16


class DecisionRefused(PrismError):
    """The row refused a decision; its code says why."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_DECISION


_REFUSED: Final[dict[str, type[DecisionRefused]]] = {
    code.value: type(f"Refused{code.title().replace('_', '')}", (DecisionRefused,), {"code": code})
    for code in (
        ErrorCode.REVIEW_NOT_OPEN,
        ErrorCode.STALE_ROUND,
        ErrorCode.NOT_A_REVIEWER,
        ErrorCode.OWN_ROW,
        ErrorCode.ALREADY_DECIDED,
        ErrorCode.CLAIMED,
        ErrorCode.INVALID_DECISION,
    )
}


async def signed(
    services: Services, principal: Principal, run: str, row: str, body: ReviewBody, via: str = ""
) -> ReviewDecision:
    """Return a decision with the name and roles that this API vouches for.

    Raises:
        Forbidden: A person claims to be another one.
    """
    by = principal.acting_as(body.by)
    boards = await services.queries.boards(run, row) if principal.boards else []
    reviewers = tuple(body.reviewers)
    return ReviewDecision(
        by=by,
        kind=body.kind,
        comment=body.comment,
        round=body.round,
        roles=roles_of(services, principal, by, boards),
        output=await services.stores.texts.keep(body.output) if body.output is not None else None,
        answers=body.answers,
        reviewers=reviewers,
        members=services.approvals.members(reviewers),
        via=via or ("console" if principal.via is Via.COOKIE else "api"),
    )


def roles_of(services: Services, principal: Principal, by: str, boards: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the roles somebody decides in: of their account, on the row's boards, and by the approval rules."""
    granted = [grant.role.value for grant in principal.boards if grant.board in boards]
    own = [role.value for role in principal.roles]
    return tuple(dict.fromkeys([*own, *granted, *services.approvals.roles_of(by)]))


async def decide(
    services: Services, run: str, row: str, decision: ReviewDecision, update_id: str | None = None
) -> Decided:
    """Have a row take a decision, and say where its review stands.

    An update tells at once whether the decision counts. Where no worker answers, a vote is sent as a signal, which the
    server keeps: it counts when a worker is back. Should the update have been taken after all, the signal finds the
    same vote there already and changes nothing.

    Args:
        services: What the routes work with.
        run: The run.
        row: The row.
        decision: What is decided, by whom.
        update_id: Repetitions under the same id are one decision, and get the same answer.

    Raises:
        NotFound: There is no such row.
        Conflict: It does not wait for a review.
        DecisionRefused: The decision does not count; the code says why.
        TemporalUnavailable: The Temporal server does not answer; nothing was decided.
    """
    view = await known_row(services, run, row)
    if view.state is not RowState.REVIEW:
        raise Conflict(f"row {row} does not wait for a review; it is {view.state.value}", run=run, row=row)
    handle = services.temporal.get_workflow_handle_for(RowWorkflow.run, row_workflow_id(run, row))
    try:
        outcome: ReviewOutcome = await handle.execute_update(
            RowWorkflow.decide, decision, id=update_id or uuid.uuid4().hex, rpc_timeout=ANSWER_WITHIN
        )
    except WorkflowUpdateFailedError as failed:
        cause = failed.cause
        if not isinstance(cause, ApplicationError) or cause.type not in _REFUSED:
            raise
        raise _REFUSED[cause.type](cause.message, run=run, row=row) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError as late:
        return await _kept(services, run, row, decision, late)
    except RPCError as error:
        raise _unreached(error, run, row) from error
    return Decided.model_validate(outcome.model_dump())


async def decide_many(
    services: Services, principal: Principal, body: BulkBody, boards: frozenset[str] | None
) -> BulkDecided:
    """Decide on several reviews, each by itself; one that is refused keeps no other from being decided.

    Args:
        services: What the routes work with.
        principal: Who decides.
        body: What, and on which reviews.
        boards: The boards they may decide on; ``None`` means all.
    """
    places = body.reviews or await _places(services, principal, body, boards)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(place: Place) -> BulkResult:
        single = ReviewBody(
            kind=body.kind, by=body.by, comment=body.comment, round=place.round, reviewers=body.reviewers
        )
        async with slots:
            try:
                if boards is not None and not boards.issuperset(await services.queries.boards(place.run, place.row)):
                    raise _REFUSED[ErrorCode.NOT_A_REVIEWER]("you may not decide on rows of this board")
                decision = await signed(services, principal, place.run, place.row, single)
                decided = await decide(services, place.run, place.row, decision)
            except PrismError as error:
                return BulkResult(run=place.run, row=place.row, ok=False, code=error.code, message=error.message)
        return BulkResult(run=place.run, row=place.row, ok=True, state=decided.state, message=decided.message)

    results = await asyncio.gather(*(one(place) for place in places))
    done = sum(result.ok for result in results)
    return BulkDecided(decided=done, refused=len(results) - done, results=results)


def mine(services: Services, principal: Principal) -> tuple[str, ...] | None:
    """Return what somebody is called in lists of reviewers: their name and roles; ``None`` where nobody logs in."""
    if not principal.personal:
        return None
    by, boards = principal.name, [grant.board for grant in principal.boards]
    return (by, *(f"{ROLE_PREFIX}{role}" for role in roles_of(services, principal, by, boards)))


def themselves(principal: Principal) -> str:
    """Return whose own rows are left out of what waits for somebody; empty where nobody logs in."""
    return principal.name if principal.personal else ""


async def detail(services: Services, principal: Principal, run: str, row: str) -> ReviewDetail:
    """Return every round of a row's review, with its texts.

    Raises:
        NotFound: There is no such row.
    """
    view = await known_row(services, run, row)
    found = await services.register.rounds(run, row)
    rounds = [ReviewRound(**one.model_dump(), output=await _text(services, one)) for one in found]
    last = found[-1] if found else None
    waits = last is not None and view.state is RowState.REVIEW and last.state is ReviewState.WAITING
    may = waits and last is not None and may_decide(services, principal, last)
    return ReviewDetail(rounds=rounds, may_decide=may)


def may_decide(services: Services, principal: Principal, review: ReviewView) -> bool:
    """Return whether somebody who is logged in is among the reviewers; the row has the last word."""
    if not principal.personal:
        return True
    by, terms = principal.name, review.terms
    if terms.four_eyes and by == review.submitter:
        return False
    return not terms.reviewers or bool(represented(terms, by, roles_of(services, principal, by, [review.board])))


async def _places(
    services: Services, principal: Principal, body: BulkBody, boards: frozenset[str] | None
) -> list[Place]:
    wanted = ReviewFilter(
        reviewers=mine(services, principal),
        person=themselves(principal),
        boards=boards,
        run=body.run,
        board=body.board,
        risk=body.risk,
        text=body.q,
        limit=500,
    )
    found = await services.register.reviews(wanted)
    return [Place(run=one.run, row=one.row, round=one.round) for one in found]


async def _kept(services: Services, run: str, row: str, decision: ReviewDecision, late: Exception) -> Decided:
    if not decision.kind.vote:
        raise TemporalUnavailable("no worker answers; nothing was decided") from late
    rounds = await services.register.rounds(run, row)
    # Bound to the round that was looked at: what a worker opens meanwhile is not decided on unseen.
    round_ = decision.round or (rounds[-1].round if rounds else None)
    handle = services.temporal.get_workflow_handle(row_workflow_id(run, row))
    try:
        await handle.signal("decide", decision.model_copy(update={"round": round_}), rpc_timeout=ANSWER_WITHIN)
    except RPCError as error:
        raise _unreached(error, run, row) from error
    told = "no worker answers at the moment; the decision is kept and counts when one does, unless another came first"
    return Decided(state=ReviewState.WAITING, round=round_ or 0, message=told, queued=True)


def _unreached(error: RPCError, run: str, row: str) -> PrismError:
    if error.status is RPCStatusCode.NOT_FOUND:
        return Conflict(f"row {row} does not wait for a review any more", run=run, row=row)
    return TemporalUnavailable(f"the Temporal server does not answer: {error.message}")


async def _text(services: Services, review: ReviewView) -> str | None:
    if not review.output_digest:
        return None
    try:
        return (await services.stores.artifacts.get(review.output_digest)).decode()
    except ArtifactNotFound:
        return None
