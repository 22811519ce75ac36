"""Deadlines of reviews, on the server whose clock jumps to the next timer."""

import pytest

from activities.records.contracts import RunState
from activities.reviews.contracts import ReviewDecision, ReviewState
from activities.reviews.register import SqlReviewRegister
from tests.installation import ON_SKIPPING_SERVER, Installation, Run
from workflows.row import RowWorkflow

pytestmark = list(ON_SKIPPING_SERVER)


def told(prism: Installation, run: Run) -> list[tuple[str, str]]:
    rows = prism.query(
        "SELECT recipient, title FROM notifications WHERE run = :run AND key NOT LIKE '%/notify/%' ORDER BY key",
        run=run.run,
    )
    return sorted((row["recipient"], row["title"].partition(":")[0]) for row in rows)


def summary(prism: Installation, run: Run) -> str:
    found = prism.query("SELECT summary FROM steps WHERE run = :run AND step = 'review'", run=run.run)
    return str(found[0]["summary"])


async def test_a_week_passes_with_a_reminder_and_an_escalation(skipping: Installation) -> None:
    run = await skipping.start(
        "id,title,objective,review,reviewers,deadline,escalate\na,Hedge,Hedge,required,ana,7d,role:cfo\n"
    )
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert told(skipping, run) == [
        ("ana", "Review still wanted"),
        ("ana", "Review wanted"),
        ("role:cfo", "Review escalated"),
    ]
    review = (await SqlReviewRegister(skipping.stores.engine).rounds(run.run, "a"))[0]
    assert (review.state, review.decided_by, review.escalated) == (ReviewState.EXPIRED, "nobody", True)
    assert [entry.kind for entry in review.entries] == ["opened", "reminded", "escalated", "expired"]
    row = skipping.query("SELECT code, message FROM rows WHERE run = :run", run=run.run)[0]
    assert row == {"code": "REVIEW_EXPIRED", "message": "nobody decided before the deadline"}


async def test_silence_approves_where_row_and_policy_say_so_and_the_record_names_nobody(skipping: Installation) -> None:
    run = await skipping.start("id,objective,review,deadline,on_deadline\na,Tidy,required,2d,approve\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert summary(skipping, run).startswith("approved by nobody")


@pytest.mark.parametrize("risk", ["medium", "high"])
async def test_silence_never_approves_where_the_policy_does_not_let_it(skipping: Installation, risk: str) -> None:
    run = await skipping.start(f"id,objective,review,deadline,on_deadline,risk\na,Tidy,required,2d,approve,{risk}\n")
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert summary(skipping, run) == "expired by nobody"


async def test_a_review_that_goes_on_waiting_is_overdue_and_still_decided(prism: Installation) -> None:
    run = await prism.start("id,objective,review,reviewers,deadline,on_deadline\na,Tidy,required,ana,1s,wait\n")
    await run.row_reaches("a", lambda progress: progress.outcome is not None)
    register = SqlReviewRegister(prism.stores.engine)
    while not (found := await register.rounds(run.run, "a")) or not found[0].overdue:
        await run.row("a").query(RowWorkflow.progress)
    assert found[0].state is ReviewState.WAITING
    assert ("ana", "Review overdue") in told(prism, run)
    await run.row("a").execute_update(RowWorkflow.decide, ReviewDecision(by="ana"))
    assert (await run.result()).state is RunState.COMPLETED
