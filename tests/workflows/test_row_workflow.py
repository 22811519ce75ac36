"""What becomes of one row, on real servers with real activities."""

import json

import pytest

from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from tests.installation import ON_SKIPPING_SERVER, Installation, Run
from workflows.row import RowWorkflow

ANA = ReviewDecision(by="ana", comment="reads well")


def waiting(run: Run):  # noqa: ANN201 -- a coroutine for tests
    return run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)


def row_record(prism: Installation, run: Run, row: str = "a") -> dict[str, object]:
    return prism.query("SELECT * FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]


async def test_a_row_passes_all_its_steps_and_is_recorded_with_each(prism: Installation) -> None:
    run = await prism.start("id,objective,verification\na,Say hello,max_words:50;is friendly\n")
    assert (await run.result()).state is RunState.COMPLETED
    steps = prism.query("SELECT step, state FROM steps WHERE run = :run ORDER BY started_at, step", run=run.run)
    assert {step["step"] for step in steps} == {
        "policy", "prompt", "model", "verification", "scan", "provenance", "notify",
    }  # fmt: skip
    assert {step["state"] for step in steps} == {"done"}
    record = row_record(prism, run)
    assert record["state"] == "succeeded"
    assert record["output"] == "An answer."
    assert record["cost_usd"] == 0.25


async def test_free_text_criteria_without_a_judge_are_unverified_and_the_row_ends_normally(prism: Installation) -> None:
    run = await prism.start("id,objective,verification\na,Say hello,is friendly\n")
    await run.result()
    verdicts = json.loads(str(row_record(prism, run)["verdicts"]))
    assert [(verdict["basis"], verdict["passed"]) for verdict in verdicts] == [("unverified", None)]


async def test_a_failed_criterion_is_told_to_the_model_once_more(prism: Installation) -> None:
    answers = iter(["no", "yes: apple"])
    prism.model.answer = lambda request: next(answers)
    run = await prism.start("id,objective,verification\na,Name a fruit,contains:apple\n")
    assert (await run.result()).state is RunState.COMPLETED
    first, second = await prism.model.prompts()
    assert "contains:apple" in second
    assert len(second) > len(first)


async def test_a_criterion_that_fails_twice_ends_the_row_as_failed_verification_with_its_output(
    prism: Installation,
) -> None:
    run = await prism.start("id,objective,verification\na,Name a fruit,contains:apple\n")
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    record = row_record(prism, run)
    assert record["state"] == "verification_failed"
    assert record["code"] == "VERIFICATION_FAILED"
    assert record["output"] == "An answer."
    assert len(prism.model.requests) == 2


async def test_a_criterion_that_fails_twice_goes_to_review_where_one_is_possible(prism: Installation) -> None:
    run = await prism.start("id,objective,verification,review\na,Name a fruit,contains:apple,policy\n")
    progress = await waiting(run)
    assert "contains:apple" in progress.review[0]
    await run.row("a").signal(RowWorkflow.approve, ANA)
    assert (await run.result()).state is RunState.COMPLETED


async def test_a_judging_model_decides_free_text_criteria_when_one_is_configured(prism: Installation) -> None:
    def answer(request: object) -> str:
        group = getattr(request, "group", "")
        return '[{"criterion": 1, "passed": true, "reason": "it is"}]' if group == "judge" else "Hello friend"

    prism.model.answer = answer
    run = await prism.start("id,objective,verification\na,Say hello,is friendly\n", judge_group="judge")
    await run.result()
    verdicts = json.loads(str(row_record(prism, run)["verdicts"]))
    assert [(verdict["basis"], verdict["passed"], verdict["reason"]) for verdict in verdicts] == [
        ("judged", True, "it is")
    ]


async def test_a_stepwise_row_asks_once_a_step_and_each_sees_the_earlier_outputs(prism: Installation) -> None:
    count = iter(range(1, 10))
    prism.model.answer = lambda request: f"output number {next(count)}"
    run = await prism.start("id,objective,workflow,mode\na,Write,outline > draft > polish,stepwise\n")
    await run.result()
    prompts = await prism.model.prompts()
    assert len(prompts) == 3
    assert "output number 1" in prompts[1]
    assert "output number 2" in prompts[2]
    assert row_record(prism, run)["output"] == "output number 3"


async def test_a_row_the_policy_denies_never_reaches_the_model(prism: Installation) -> None:
    run = await prism.start("id,objective,budget_usd\na,Spend,1000\n")
    await run.result()
    record = row_record(prism, run)
    assert record["state"] == "denied"
    assert "budget_usd 1000 is above the limit" in str(record["message"])
    assert prism.model.requests == []


async def test_a_risky_row_waits_for_a_person_and_the_approval_is_recorded(prism: Installation) -> None:
    run = await prism.start("id,objective,risk\na,Hedge,high\n")
    assert (await waiting(run)).review == ("risk is high",)
    assert prism.states(run) == {"a": "review"}
    await run.row("a").signal(RowWorkflow.approve, ANA)
    assert (await run.result()).state is RunState.COMPLETED
    review = prism.query("SELECT summary FROM steps WHERE run = :run AND step = 'review'", run=run.run)
    assert review[-1]["summary"] == "approved by ana"


async def test_a_rejected_row_ends_as_rejected(prism: Installation) -> None:
    run = await prism.start("id,objective,review\na,Hedge,required\n")
    await waiting(run)
    await run.row("a").signal(RowWorkflow.reject, ReviewDecision(by="bo", comment="too bold"))
    await run.result()
    record = row_record(prism, run)
    assert (record["state"], record["code"]) == ("rejected", "REVIEW_REJECTED")
    assert record["message"] == "rejected by bo: too bold"


async def test_somebody_who_is_not_a_reviewer_decides_nothing(prism: Installation) -> None:
    run = await prism.start("id,objective,review,reviewers\na,Hedge,required,cfo\n")
    await waiting(run)
    await run.row("a").signal(RowWorkflow.approve, ANA)
    assert (await waiting(run)).state is RowState.REVIEW
    await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="cfo"))
    assert (await run.result()).state is RunState.COMPLETED


@ON_SKIPPING_SERVER[0]
@ON_SKIPPING_SERVER[1]
async def test_nobody_deciding_before_the_deadline_never_approves(skipping: Installation) -> None:
    run = await skipping.start("id,objective,review,deadline\na,Hedge,required,7d\n")
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    record = row_record(skipping, run)
    assert (record["state"], record["code"]) == ("rejected", "REVIEW_EXPIRED")


async def test_a_secret_in_the_output_stops_the_row(prism: Installation) -> None:
    key = "AKIA" + "QWERTYUIOP234567"
    prism.model.answer = lambda request: f"aws_access_key_id = {key}"
    run = await prism.start("id,objective\na,Write a config\n")
    await run.result()
    record = row_record(prism, run)
    assert (record["state"], record["code"]) == ("failed", "SECRETS_IN_OUTPUT")
    assert "aws-access-token" in str(record["findings"])
    assert key not in str(record["findings"])


async def test_code_of_the_catalog_runs_on_the_models_output(prism: Installation) -> None:
    run = await prism.start(
        "id,objective,language,code\na,Say hello,python,\"import sys; assert sys.stdin.read() == 'An answer.'\"\n"
    )
    assert (await run.result()).state is RunState.COMPLETED


async def test_code_that_fails_fails_the_row_and_says_how(prism: Installation) -> None:
    run = await prism.start('id,objective,language,code\na,Say hello,python,"raise SystemExit(""no good"")"\n')
    await run.result()
    record = row_record(prism, run)
    assert record["code"] == "CODE_FAILED"
    assert "no good" in str(record["message"])


async def test_a_row_that_spent_its_budget_makes_no_further_call(prism: Installation) -> None:
    run = await prism.start("id,objective,workflow,mode,budget_usd\na,Write,one > two > three,stepwise,0.5\n")
    await run.result()
    assert row_record(prism, run)["code"] == "BUDGET_EXCEEDED"
    assert len(prism.model.requests) == 2


@pytest.mark.parametrize("size", [1_000, 200_000])
async def test_outputs_of_any_size_arrive_whole_and_large_ones_stay_out_of_history(
    prism: Installation, size: int
) -> None:
    prism.model.answer = lambda request: "word " * (size // 5)
    run = await prism.start("id,objective\na,Write much\n")
    await run.result()
    record = row_record(prism, run)
    text = await prism.stores.artifacts.get(str(record["output_digest"]))
    assert len(text) == size
    history = await run.row("a").fetch_history()
    assert len(history.to_json()) < 150_000
