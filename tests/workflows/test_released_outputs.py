"""Outputs that are judged before they leave: by the thresholds of the release policy, which nobody outvotes."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.artifacts.contracts import Text
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from activities.scans.tools import program
from tests.installation import Installation, Run
from tests.workflows.test_row_custody import statement
from workers import policy
from workflows.row import RowWorkflow

RISKY = "```python\nimport subprocess\nsubprocess.call(input(), shell=True)\n```"
TAME = "```python\nprint(1)\n```"
SECRET_PROJECT = "All about Blackbird."  # noqa: S105 -- the name of a project
OBJECTION = "the policy does not let the output leave: the output holds a project name"


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    """An installation whose policy forbids a name."""
    home = tmp_path_factory.mktemp("prism")
    policies = shutil.copytree(policy.POLICIES, home / "policies")
    data = policies / "release" / "data.json"
    data.write_text(json.dumps(json.loads(data.read_text()) | {"forbidden_content": {"a project name": "Blackbird"}}))
    installation = Installation(home, dev_client, lambda request: "An answer.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "POLICIES", policies)
        async with installation.worker():
            yield installation


def edit(value: str, review_round: int) -> ReviewDecision:
    return ReviewDecision(by="ana", kind=DecisionKind.EDIT, output=Text.by_value(value), round=review_round)


async def asked_why(run: Run, review_round: int) -> tuple[str, ...]:
    """Return why a person must decide in a round, once it is open."""
    progress = await run.row_reaches(
        "a",
        lambda one: one.state is RowState.REVIEW and one.outcome is not None and one.outcome.round == review_round,
    )
    return progress.review


async def test_what_is_plain_is_not_asked_about(prism: Installation) -> None:
    run = await prism.start("id,objective\na,Greet\n")
    assert (await run.result()).state is RunState.COMPLETED
    steps = prism.query("SELECT step FROM steps WHERE run = :run", run=run.run)
    assert "release" not in {one["step"] for one in steps}


@pytest.mark.skipif(not Path(program("semgrep")).is_absolute(), reason="the scanners are not installed; make setup")
async def test_harmful_code_is_seen_by_a_person_before_it_leaves(prism: Installation) -> None:
    prism.model.answer = lambda request: RISKY
    run = await prism.start("id,objective,scan\na,Write a program,code\n")
    assert set(await asked_why(run, 1)) >= {
        "B602 (high, bandit) on line 3",
        "prism-python-shell (high, semgrep) on line 3",
    }
    await run.row("a").execute_update(RowWorkflow.decide, edit(TAME, 1))
    assert (await run.result()).state is RunState.COMPLETED
    acts = custody_of(await statement(prism, run, "a"))
    assert [act.act for act in acts] == [
        Act.WRITTEN,
        Act.SCANNED,
        Act.SCANNED,
        Act.JUDGED,
        Act.EDITED,
        Act.SCANNED,
        Act.SCANNED,
        Act.JUDGED,
    ]
    code_scan = acts[2]
    assert code_scan.result is not None
    sarif = json.loads(await prism.stores.artifacts.get(code_scan.result))
    assert {one["tool"]["driver"]["name"] for one in sarif["runs"]} == {"bandit", "semgrep"}
    assert acts[3].by.startswith("policy sha256:")


async def test_what_must_not_leave_goes_nowhere(prism: Installation) -> None:
    prism.model.answer = lambda request: SECRET_PROJECT
    run = await prism.start("id,objective,labels,depends_on\na,Tell,data_class=internal,\nb,Use it,,a\n")
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run) == {"a": RowState.DENIED, "b": RowState.BLOCKED}
    (row,) = prism.query("SELECT message FROM rows WHERE run = :run AND row = 'a'", run=run.run)
    assert row["message"] == OBJECTION


async def test_no_person_outvotes_the_policy(prism: Installation) -> None:
    run = await prism.start("id,objective,risk\na,Tell,high\n")
    assert await asked_why(run, 1) == ("risk is high",)
    await run.row("a").execute_update(RowWorkflow.decide, edit(SECRET_PROJECT, 1))
    assert await asked_why(run, 2) == (f"after the edit by ana: {OBJECTION}",)
    await run.row("a").execute_update(RowWorkflow.decide, ReviewDecision(by="ana", round=2))
    assert await asked_why(run, 3) == (OBJECTION,)
    await run.row("a").execute_update(RowWorkflow.decide, edit("All about birds.", 3))
    assert (await run.result()).state is RunState.COMPLETED


async def test_a_pinned_run_is_decided_by_the_version_it_began_with(prism: Installation) -> None:
    async with AsyncExitStack() as stack:
        pinned = await (await policy.open_policy(prism.settings, stack, prism.stores.artifacts)).keep()
    data = policy.POLICIES / "admission" / "data.json"
    before = data.read_text()
    data.write_text(json.dumps(json.loads(before) | {"max_budget_usd": 1}))
    catalog = "id,objective,budget_usd\na,Greet,50\n"
    try:
        async with asyncio.timeout(60):
            while not await denied(prism, catalog):
                pass
        run = await prism.start(catalog, policy=pinned)
        assert (await run.result()).state is RunState.COMPLETED
    finally:
        data.write_text(before)
    (step,) = prism.query("SELECT detail FROM steps WHERE run = :run AND step = 'policy'", run=run.run)
    assert pinned in str(step["detail"])


async def denied(prism: Installation, catalog: str) -> bool:
    """Tell whether a run that follows the newest policy is denied."""
    run = await prism.start(catalog)
    await run.result()
    return prism.states(run) == {"a": RowState.DENIED}
