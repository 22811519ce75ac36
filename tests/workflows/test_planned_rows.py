"""Rows that a row plans: read like a catalog, approved by a person, and run with the others."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable

import pytest
from temporalio.client import Client

from activities.llm.contracts import ModelRequest
from activities.provenance.custody import check_custody, custody_of
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from tests.installation import DEADLINE, Installation, Run
from tests.workflows.test_row_custody import statement
from workers.policy import POLICIES
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowProgress, RowSelection
from workflows.row import RowWorkflow

HEAD = "id,objective,agent,pattern,depends_on,plan_rows,budget_usd\n"
PLAN = HEAD + "plan,Plan the guide,planner,plan,,,\nend,Bring it together,,,plan,,\n"
TWO = [{"id": "one", "objective": "Write one"}, {"id": "two", "objective": "Write two", "depends_on": "one"}]
ANA = ReviewDecision(by="ana", comment="fine")


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    """An installation whose policy spares plans of the board ``lab`` the person."""
    home = tmp_path_factory.mktemp("prism")
    policies = shutil.copytree(POLICIES, home / "policies")
    limits = policies / "planning" / "data.json"
    limits.write_text(json.dumps(json.loads(limits.read_text()) | {"unreviewed_boards": ["lab"]}))
    settings = Settings(home=home, policies=policies)
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


def rows(*proposed: dict[str, str]) -> str:
    return json.dumps({"rows": proposed})


def planning(*answers: str) -> Callable[[ModelRequest], str]:
    """Answer the planner's calls one after the other, and every other row by its own name."""
    left = iter(answers)
    return lambda request: next(left) if request.step.row == "plan" else f"The text of {request.step.row}."


def asks_a_person(progress: RowProgress) -> bool:
    return progress.state is RowState.REVIEW


def told(prism: Installation, run: Run, row: str) -> dict[str, object]:
    return prism.query("SELECT * FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]


async def decide(run: Run, decision: ReviewDecision) -> None:
    await run.row("plan").execute_update(RowWorkflow.decide, decision)


async def test_approved_rows_join_the_run_and_those_that_wait_for_the_plan_wait_for_them(prism: Installation) -> None:
    prism.model.answer = planning(rows(*TWO))
    run = await prism.start(PLAN)
    waiting = await run.row_reaches("plan", asks_a_person)
    assert waiting.review == ("rows are proposed: a person approves them before they are added",)
    assert set(prism.states(run)) == {"plan", "end"}
    await decide(run, ANA)
    result = await run.result()
    assert (result.state, result.counts) == (RunState.COMPLETED, {RowState.SUCCEEDED: 4})
    prompts = {request.step.row: text for request, text in zip(prism.model.requests, await prism.model.prompts())}  # noqa: B905
    assert "Propose the rows of work that do it, at most 20." in prompts["plan"]
    # What planned them is no source of theirs unless they ask for it; whoever waits for the plan is given it all.
    assert '"rows"' not in prompts["one"]
    assert "The text of one." in prompts["two"]
    assert all(part in prompts["end"] for part in ('"rows"', "The text of one.", "The text of two."))
    recorded = told(prism, run, "two")
    assert (recorded["planned_by"], recorded["position"]) == ("plan", 3)
    assert json.loads(str(told(prism, run, "end")["upstream"])) == ["plan", "one", "two"]
    kept = prism.query("SELECT total, plan, grown FROM runs WHERE run = :run", run=run.run)[0]
    assert kept["total"] == 4
    assert kept["grown"] not in {None, kept["plan"]}
    audit = prism.query(
        "SELECT detail FROM audit_entries WHERE subject = :subject AND kind = 'run.grown'", subject=f"run/{run.run}"
    )
    assert json.loads(audit[0]["detail"])["rows"] == ["one", "two"]


async def test_the_policy_is_asked_about_a_plan_and_may_spare_it_the_person(prism: Installation) -> None:
    prism.model.answer = planning(rows({"id": "one", "objective": "Write one", "board": "lab"}))
    run = await prism.start("id,objective,agent,pattern,board\nplan,Plan,planner,plan,lab\n")
    assert (await run.result()).counts == {RowState.SUCCEEDED: 2}
    audit = "SELECT detail FROM audit_entries WHERE subject = :subject AND kind = 'policy.decided'"
    decided = [json.loads(one["detail"]) for one in prism.query(audit, subject=f"run/{run.run}/row/plan")]
    (plan,) = [one for one in decided if one["step"] == "proposal"]
    assert (plan["allow"], plan["review"], [one["id"] for one in plan["rows"]]) == (True, [], ["one"])


async def test_provenance_tells_which_output_planned_a_row(prism: Installation) -> None:
    prism.model.answer = planning(rows(*TWO))
    run = await prism.start(PLAN)
    await run.row_reaches("plan", asks_a_person)
    await decide(run, ANA)
    await run.result()
    planner, planned = await statement(prism, run, "plan"), await statement(prism, run, "one")
    assert planned["predicate"]["buildDefinition"]["externalParameters"]["plannedBy"] == "plan"
    used = {one["name"]: one.get("digest") for one in planned["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert used["planned-by/plan"] == planner["subject"][0]["digest"]
    made = {one["name"]: one["digest"] for one in planner["predicate"]["runDetails"]["byproducts"]}
    assert used["proposal"] == made["proposal"]
    check_custody(custody_of(planner), str(told(prism, run, "plan")["output_digest"]))


async def test_a_faulty_proposal_is_told_its_faults_once_and_then_fails(prism: Installation) -> None:
    bad = rows({"id": "end", "objective": "Mine"}, {"id": "x", "objective": "Y", "risk": "low", "budget_usd": "9"})
    prism.model.answer = planning(bad, rows(*TWO))
    catalog = HEAD + "plan,Plan,planner,plan,,,1\nend,End,,,plan,,\n"
    run = await prism.start(catalog)
    await run.row_reaches("plan", asks_a_person)
    again = (await prism.model.prompts())[-1]
    assert "id 'end' is taken by a row of the run" in again
    assert "budget_usd: found '9.0', row 'plan', which plans it, has '1.0'" in again
    await run.handle.cancel()
    prism.model.answer = planning(bad, bad)
    run = await prism.start(catalog)
    assert (await run.result()).counts == {RowState.VERIFICATION_FAILED: 1, RowState.BLOCKED: 1}
    failed = told(prism, run, "plan")
    assert failed["code"] == "INVALID_PROPOSAL"
    assert "id 'end' is taken" in str(failed["message"])
    assert "budget_usd" in str(failed["message"])


async def test_what_is_rejected_adds_nothing_and_a_retry_asks_for_another_plan(prism: Installation) -> None:
    prism.model.answer = planning(rows(*TWO), rows({"id": "three", "objective": "Write three"}))
    run = await prism.start(PLAN + "wait,Wait,writer,,,,\n")
    await run.row_reaches("plan", asks_a_person)
    await run.handle.signal(CatalogWorkflow.pause)
    await decide(run, ReviewDecision(by="ana", kind=DecisionKind.REJECT, comment="too much"))
    while prism.states(run)["plan"] != "rejected":
        await asyncio.sleep(0.02)
    assert set(prism.states(run)) == {"plan", "end", "wait"}
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("plan",)))
    await run.handle.signal(CatalogWorkflow.resume)
    await run.row_reaches("plan", asks_a_person)
    await decide(run, ANA)
    assert (await run.result()).counts == {RowState.SUCCEEDED: 4}
    assert set(prism.states(run)) == {"plan", "end", "wait", "three"}


async def test_an_edited_plan_is_read_again_and_a_faulty_one_cannot_be_approved(prism: Installation) -> None:
    prism.model.answer = planning(rows(*TWO))
    run = await prism.start(PLAN)
    await run.row_reaches("plan", asks_a_person)
    edit = ReviewDecision(by="ana", kind=DecisionKind.EDIT)
    for text, said in ((rows({"id": "plan", "objective": "Again"}), "id 'plan' is taken"), ("[]", "output_schema")):
        rounds = len(prism.query("SELECT 1 FROM reviews WHERE run = :run", run=run.run))
        await decide(run, edit.model_copy(update={"output": await prism.stores.texts.keep(text)}))
        shown = await run.row_reaches("plan", lambda one, seen=rounds: one.outcome.round > seen and asks_a_person(one))  # type: ignore[misc, union-attr]
        assert said in shown.review[0]
        await decide(run, ANA)
        await run.row_reaches("plan", lambda one, seen=rounds: one.outcome.round > seen + 1 and asks_a_person(one))  # type: ignore[misc, union-attr]
    good = await prism.stores.texts.keep(rows({"id": "mine", "objective": "Write mine"}))
    await decide(run, edit.model_copy(update={"output": good}))
    assert (await run.result()).counts == {RowState.SUCCEEDED: 3}
    assert set(prism.states(run)) == {"plan", "end", "mine"}
    check_custody(custody_of(await statement(prism, run, "plan")), str(told(prism, run, "plan")["output_digest"]))


async def test_the_policy_denies_rows_by_name(prism: Installation) -> None:
    prism.model.answer = planning(
        rows(
            {"id": "x", "objective": "Run", "language": "shell", "data_class": "odd"}, {"id": "y", "objective": "Fine"}
        )
    )
    run = await prism.start(PLAN)
    assert (await run.result()).counts == {RowState.DENIED: 1, RowState.BLOCKED: 1}
    denied = told(prism, run, "plan")
    assert denied["code"] == "POLICY_DENIED"
    assert "row x would run shell" in str(denied["message"])
    assert "row x: data_class odd is none of" in str(denied["message"])


async def test_a_planned_row_plans_once_more_and_outputs_let_go_are_found_again(prism: Installation) -> None:
    deeper = {"id": "deeper", "objective": "Plan more", "agent": "planner", "pattern": "plan", "depends_on": "early"}
    last = {"id": "last", "objective": "Write last", "depends_on": "early; first"}
    answers = {"plan": rows(deeper, {"id": "first", "objective": "Write first"}), "deeper": rows(last)}
    prism.model.answer = lambda request: answers.get(request.step.row, f"The text of {request.step.row}.")
    run = await prism.start(PLAN + "early,Write early,,,,,\n")
    await run.row_reaches("plan", asks_a_person)
    async with asyncio.timeout(DEADLINE):
        while prism.states(run)["early"] != "succeeded":
            await asyncio.sleep(0.02)
    await decide(run, ANA)
    await run.row_reaches("deeper", asks_a_person)
    await run.row("deeper").execute_update(RowWorkflow.decide, ANA)
    assert (await run.result()).counts == {RowState.SUCCEEDED: 6}
    prompts = {request.step.row: text for request, text in zip(prism.model.requests, await prism.model.prompts())}  # noqa: B905
    assert all(f"The text of {name}." in prompts["last"] for name in ("early", "first"))
    assert "The text of last." in prompts["end"]
    assert told(prism, run, "last")["planned_by"] == "deeper"
