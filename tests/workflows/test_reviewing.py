"""Reviews of real rows on a real Temporal server: every way in, every kind of decision, one outcome."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.artifacts.contracts import Text, digest_of
from activities.llm.contracts import ModelRequest
from activities.records.contracts import RowRecord, RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision, ReviewOutcome, ReviewState
from activities.reviews.register import SqlReviewRegister
from activities.reviews.views import ReviewFilter, ReviewView
from temporal.names import ErrorCode
from tests.installation import Installation, Run
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowProgress, RowSelection
from workflows.row import RowWorkflow

SECRET = "aws_access_key_id = AKIA" + "QWERTYUIOP234567"


def decision(by: str, kind: str = "approve", **given: Any) -> ReviewDecision:
    return ReviewDecision(by=by, kind=DecisionKind(kind), **given)


async def decide(run: Run, given: ReviewDecision, row: str = "a") -> ReviewOutcome:
    return await run.row(row).execute_update(RowWorkflow.decide, given)


async def refused(run: Run, given: ReviewDecision) -> tuple[str | None, str]:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await decide(run, given)
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type, caught.value.cause.message


async def waiting(run: Run, round_: int = 1, row: str = "a") -> RowProgress:
    def reached(progress: RowProgress) -> bool:
        here = progress.outcome is not None and progress.outcome.round >= round_
        return here and progress.state is RowState.REVIEW

    return await run.row_reaches(row, reached)


async def rounds(prism: Installation, run: Run) -> list[ReviewView]:
    return await SqlReviewRegister(prism.stores.engine).rounds(run.run, "a")


def recorded(prism: Installation, run: Run) -> dict[str, Any]:
    return prism.query("SELECT * FROM rows WHERE run = :run AND row = 'a'", run=run.run)[0]


async def statement(prism: Installation, run: Run) -> dict[str, Any]:
    envelope = json.loads(await prism.stores.artifacts.get(recorded(prism, run)["envelope"]))
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return found


async def test_an_update_says_where_the_review_stands(prism: Installation) -> None:
    run = await prism.start("id,objective,review,quorum\na,Hedge,required,2\n")
    await waiting(run)
    first = await decide(run, decision("ana"))
    assert (first.state, first.approvals, first.needed) == (ReviewState.WAITING, 1, 2)
    assert (await decide(run, decision("bo"))).state is ReviewState.APPROVED
    assert (await run.result()).state is RunState.COMPLETED
    assert (await rounds(prism, run))[0].decided_by == "ana and bo"


async def test_what_is_refused_leaves_no_event(prism: Installation) -> None:
    run = await prism.start("id,objective,review,reviewers\na,Hedge,required,ana\n")
    await waiting(run)
    events = (await run.row("a").describe()).history_length
    assert (await refused(run, decision("bo")))[0] == ErrorCode.NOT_A_REVIEWER
    assert (await refused(run, decision("ana", round=2)))[0] == ErrorCode.STALE_ROUND
    assert (await refused(run, decision("ana", "reject")))[0] == ErrorCode.INVALID_DECISION
    assert (await run.row("a").describe()).history_length == events
    await decide(run, decision("ana"))


async def test_after_its_row_has_ended_nobody_decides(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    await decide(run, decision("ana"))
    await run.result()
    with pytest.raises(RPCError):
        await decide(run, decision("bo"))


async def test_of_two_at_the_same_moment_one_decides_and_the_other_is_told(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    both = await asyncio.gather(
        decide(run, decision("ana")), decide(run, decision("bo", "reject", comment="no")), return_exceptions=True
    )
    outcomes = [one for one in both if isinstance(one, ReviewOutcome)]
    failures = [one for one in both if isinstance(one, BaseException)]
    assert len(outcomes) == len(failures) == 1
    await run.result()
    state = recorded(prism, run)["state"]
    assert state == ("succeeded" if outcomes[0].state is ReviewState.APPROVED else "rejected")


async def test_an_edited_text_is_the_output_and_the_original_is_kept(prism: Installation) -> None:
    run = await prism.start("id,objective,review,depends_on\na,Hedge,required,\nb,Use it,,a\n")
    await waiting(run)
    outcome = await decide(run, decision("ana", "edit", output=Text.by_value("Hedge half of it."), comment="shorter"))
    assert outcome.state is ReviewState.APPROVED
    assert (await run.result()).state is RunState.COMPLETED
    assert recorded(prism, run)["output"] == "Hedge half of it."
    assert "Hedge half of it." in (await prism.model.prompts())[-1]
    internal = (await statement(prism, run))["predicate"]["buildDefinition"]["internalParameters"]["review"]
    original = digest_of(b"An answer.")
    assert (internal["state"], internal["by"], internal["original"]) == ("approved", "ana", original)
    assert internal["decisions"][0]["output"] == digest_of(b"Hedge half of it.")
    assert await prism.stores.artifacts.get(original) == b"An answer."


async def test_a_secret_pasted_by_an_editor_is_looked_at_again(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    await decide(run, decision("ana", "edit", output=Text.by_value(SECRET)))
    progress = await waiting(run, 2)
    assert "after the edit by ana: secrets in the output" in progress.review[0]
    await decide(run, decision("ana", "edit", output=Text.by_value("Clean.")))
    assert (await run.result()).state is RunState.COMPLETED
    assert recorded(prism, run)["output"] == "Clean."


async def test_a_text_that_a_reviewer_wrote_is_judged_and_shown_again_where_it_fails_what_the_model_had_right(
    prism: Installation,
) -> None:
    def answer(request: ModelRequest) -> str:
        if request.group != "judge":
            return "Hello friend"
        return '[{"criterion": 1, "passed": false, "reason": "it is curt"}]'

    prism.model.answer = answer
    run = await prism.start(
        "id,objective,review,verification\na,Greet,required,is friendly;max_words:3\n", judge_group="judge"
    )
    progress = await waiting(run)
    assert progress.review[1:] == ("is friendly: it is curt",)
    longer = decision("ana", "edit", output=Text.by_value("Go away, all of you"))
    await decide(run, longer)
    progress = await waiting(run, 2)
    assert progress.review == ("after the edit by ana: max_words:3: found 5 words, expected max_words:3",)
    shown = [(one["criterion"], one["basis"], one["passed"]) for one in json.loads(recorded(prism, run)["verdicts"])]
    assert shown == [("is friendly", "judged", False), ("max_words:3", "proven", False)]
    assert "Go away, all of you" in (await prism.model.prompts())[-1]
    await decide(run, decision("bo", round=2))
    assert (await run.result()).state is RunState.COMPLETED


async def test_changes_are_written_by_the_model_with_the_feedback_and_its_last_answer(prism: Installation) -> None:
    answers = iter(["First try.", "Second try."])
    prism.model.answer = lambda request: next(answers)
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    outcome = await decide(run, decision("ana", "request_changes", comment="name the currency"))
    assert outcome.state is ReviewState.CHANGES_REQUESTED
    progress = await waiting(run, 2)
    assert progress.review[0] == "ana asked for changes: name the currency"
    prompt = (await prism.model.prompts())[-1]
    assert "ana asks for changes: name the currency" in prompt
    assert "First try." in prompt
    assert (await refused(run, decision("bo", round=1)))[0] == ErrorCode.STALE_ROUND
    await decide(run, decision("bo", round=2))
    await run.result()
    assert recorded(prism, run)["output"] == "Second try."
    assert [(one.round, one.state, one.decided_by) for one in await rounds(prism, run)] == [
        (1, ReviewState.CHANGES_REQUESTED, "ana"),
        (2, ReviewState.APPROVED, "bo"),
    ]
    assert len(prism.model.requests) == 2


async def test_answers_to_a_form_become_part_of_the_output(prism: Installation) -> None:
    run = await prism.start(
        "id,objective,review,form,depends_on\na,Ask,required,ratio:number; note?:text,\nb,Use it,,,a\n"
    )
    await waiting(run)
    assert "ratio" in (await refused(run, decision("ana", "answer", answers={})))[1]
    await decide(run, decision("ana", "answer", answers={"ratio": 0.5}))
    assert (await run.result()).state is RunState.COMPLETED
    assert '"ratio": 0.5' in recorded(prism, run)["output"]
    assert '"ratio": 0.5' in (await prism.model.prompts())[-1]


async def test_who_a_review_is_handed_to_is_told(prism: Installation) -> None:
    run = await prism.start("id,objective,review,reviewers\na,Hedge,required,ana\n")
    await waiting(run)
    await decide(run, decision("ana", "reassign", reviewers=("bo",), comment="on leave"))
    async with asyncio.timeout(60):
        while not prism.query("SELECT 1 FROM notifications WHERE run = :run AND recipient = 'bo'", run=run.run):
            await asyncio.sleep(0.02)
    register = SqlReviewRegister(prism.stores.engine)
    mine = ReviewFilter(reviewers=("bo",), run=run.run)
    async with asyncio.timeout(60):
        while await register.waiting(mine) != 1:
            await asyncio.sleep(0.02)
    assert await register.waiting(mine.model_copy(update={"reviewers": ("ana",)})) == 0
    await decide(run, decision("bo"))
    assert (await run.result()).state is RunState.COMPLETED


async def test_claim_comment_and_release_are_recorded_in_order(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    await decide(run, decision("ana", "claim"))
    assert (await refused(run, decision("bo")))[0] == ErrorCode.CLAIMED
    await decide(run, decision("bo", "comment", comment="looks fine to me"))
    await decide(run, decision("ana", "release"))
    await decide(run, decision("bo"))
    await run.result()
    kinds = [(entry.kind, entry.by) for entry in (await rounds(prism, run))[0].entries]
    assert kinds[1:] == [("claim", "ana"), ("comment", "bo"), ("release", "ana"), ("approve", "bo")]


@pytest.mark.parametrize("by_signal", [False, True])
async def test_the_submitter_decides_on_no_way_what_is_critical(prism: Installation, *, by_signal: bool) -> None:
    run = await prism.start("id,objective,risk\na,Hedge,critical\n")
    await waiting(run)
    if by_signal:
        await run.row("a").signal(RowWorkflow.approve, decision("tester"))
    else:
        assert (await refused(run, decision("tester")))[0] == ErrorCode.OWN_ROW
    assert (await run.row("a").query(RowWorkflow.progress)).state is RowState.REVIEW
    await decide(run, decision("ana"))
    assert (await run.result()).state is RunState.COMPLETED


async def test_signals_of_outside_systems_pass_through_the_same_machine(prism: Installation) -> None:
    run = await prism.start("id,objective,review,quorum\na,Hedge,required,2\n")
    await waiting(run)
    await run.row("a").signal("approve")
    await run.row("a").signal(RowWorkflow.request_changes, decision("ana", comment="shorter"))
    await waiting(run, 2)
    await run.row("a").signal(RowWorkflow.approve, decision("ana"))
    await run.row("a").signal(RowWorkflow.approve, decision("ana"))
    # As a person writes it by hand: the text, and nothing about its digest.
    await run.row("a").signal("decide", {"by": "bo", "kind": "edit", "output": "Edited."})
    await waiting(run, 3)
    assert (await rounds(prism, run))[-1].output_digest == digest_of(b"Edited.")
    await run.row("a").signal("decide", decision("ana"))
    assert (await run.result()).state is RunState.COMPLETED
    last = (await rounds(prism, run))[-1]
    assert (last.decided_by, [entry.via for entry in last.entries if entry.by]) == ("bo and ana", ["signal"])


async def test_a_decision_and_a_deadline_at_the_same_moment_have_one_winner_that_both_are_told(
    prism: Installation,
) -> None:
    names = [f"r{number}" for number in range(6)]
    lines = "".join(f"{name},Hedge,required,2s\n" for name in names)
    run = await prism.start(f"id,objective,review,deadline\n{lines}")

    async def at_the_deadline(row: str, early: float) -> str:
        progress = await run.row_reaches(row, lambda progress: progress.outcome is not None)
        if progress.terms and progress.terms.due_at:
            left = datetime.fromisoformat(progress.terms.due_at) - datetime.now(UTC)
            await asyncio.sleep(max(left.total_seconds() - early, 0))
        try:
            return (await decide(run, decision("ana"), row)).state
        except WorkflowUpdateFailedError as refused:
            return str(refused.cause)
        except RPCError as gone:
            return gone.status.name

    told = await asyncio.gather(*(at_the_deadline(row, 0.01 * number) for number, row in enumerate(names)))
    await run.result()
    register = SqlReviewRegister(prism.stores.engine)
    for row, answer in zip(names, told, strict=True):
        last = (await register.rounds(run.run, row))[-1]
        ends = [entry.kind for entry in last.entries if entry.kind in {"approve", "expired"}]
        if answer == ReviewState.APPROVED:
            assert (last.state, last.decided_by, ends) == (ReviewState.APPROVED, "ana", ["approve"])
        else:
            # Of a row that has closed by then there is nothing left to ask.
            assert "the deadline of this review has passed" in answer or answer == "NOT_FOUND"
            assert (last.state, last.decided_by, ends) == (ReviewState.EXPIRED, "nobody", ["expired"])
    outcomes = ["succeeded" if answer == ReviewState.APPROVED else "rejected" for answer in told]
    assert list(prism.states(run).values()) == outcomes


async def test_a_cancelled_run_closes_its_reviews(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    await run.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await run.result()
    assert (await rounds(prism, run))[0].state is ReviewState.CANCELLED
    assert recorded(prism, run)["state"] == "cancelled"
    with pytest.raises(RPCError):
        await decide(run, decision("ana"))


@pytest.mark.parametrize("rows", [("a",), ()])
async def test_a_row_that_is_retried_as_soon_as_its_end_is_seen_is_retried(
    prism: Installation, monkeypatch: pytest.MonkeyPatch, rows: tuple[str, ...]
) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\nb,Wait,required\n")
    record_row = prism.stores.keeper.record_row

    async def recorded_and_seen(record: RowRecord) -> None:
        await record_row(record)
        if record.state is RowState.REJECTED:
            # Somebody sees the record, and asks before the run itself is told.
            await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=rows))

    monkeypatch.setattr(prism.stores.keeper, "record_row", recorded_and_seen)
    await waiting(run)
    await decide(run, decision("ana", "reject", comment="no"))
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await decide(run, decision("ana"))
    await waiting(run, row="b")
    await decide(run, decision("ana"), "b")
    assert (await run.result()).state is RunState.COMPLETED


async def test_a_rejected_row_that_is_retried_is_reviewed_anew(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\nb,Wait,required\n")
    await waiting(run)
    await decide(run, decision("ana", "reject", comment="no"))
    async with asyncio.timeout(60):
        while recorded(prism, run)["state"] != "rejected":
            await asyncio.sleep(0.02)
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await decide(run, decision("ana"))
    await waiting(run, row="b")
    await decide(run, decision("ana"), "b")
    assert (await run.result()).state is RunState.COMPLETED
    assert [(one.attempt, one.round, one.state) for one in await rounds(prism, run)] == [
        (1, 1, ReviewState.REJECTED),
        (2, 1, ReviewState.APPROVED),
    ]
