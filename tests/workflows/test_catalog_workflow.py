"""How the rows of a run follow each other, on the real dev server."""

import asyncio

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from activities.llm.contracts import ModelRequest, ModelUnavailable
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from tests.installation import Installation, Run
from workflows.catalog import CatalogWorkflow
from workflows.contracts import Concurrency, Operator, RowSelection
from workflows.row import RowWorkflow

ME = Operator(by="tester")


class Gate:
    """Holds model calls of chosen rows until opened."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def __call__(self, request: ModelRequest) -> str:
        if request.step.row in self.failing:
            raise ModelUnavailable("the vendor is down")
        return f"output of {request.step.row}"


@pytest.fixture
def gate(prism: Installation) -> Gate:
    gate = Gate()
    prism.model.answer = gate
    return gate


async def reaches(run: Run, condition) -> None:  # noqa: ANN001
    async with asyncio.timeout(60):
        while not condition(await run.progress()):
            await asyncio.sleep(0.02)


async def test_a_dependant_gets_the_output_it_refers_to(prism: Installation, gate: Gate) -> None:
    run = await prism.start('id,objective,prompt\na,First,\nb,Second,"Improve: {{ outputs[""a""] }}"\n')
    assert (await run.result()).state is RunState.COMPLETED
    assert "Improve: output of a" in (await prism.model.prompts())[1]


async def test_a_failed_row_blocks_only_its_dependants_which_say_so(prism: Installation, gate: Gate) -> None:
    gate.failing = {"a"}
    run = await prism.start("id,objective,depends_on,retries\na,One,,0\nb,Two,a,0\nc,Three,b,0\nd,Four,,0\n")
    result = await run.result()
    assert result.state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run) == {"a": "failed", "b": "blocked", "c": "blocked", "d": "succeeded"}
    blocked = prism.query("SELECT code, message FROM rows WHERE run = :run AND row = 'b'", run=run.run)[0]
    assert blocked["code"] == "UPSTREAM_FAILED"
    assert "a" in blocked["message"]


async def test_a_run_with_a_failed_row_fails_in_temporal_too(prism: Installation, gate: Gate) -> None:
    gate.failing = {"a"}
    run = await prism.start("id,objective,retries\na,One,0\n")
    with pytest.raises(WorkflowFailureError) as failure:
        await run.handle.result()
    assert "not every row succeeded: 1 failed" in str(failure.value.cause)


async def test_failed_rows_are_retried_on_demand_and_their_dependants_follow(prism: Installation, gate: Gate) -> None:
    gate.failing = {"a"}
    run = await prism.start("id,objective,depends_on,retries,review\na,One,,0,\nb,Two,a,0,\nz,Wait,,0,required\n")
    await reaches(run, lambda progress: progress.counts.get(RowState.BLOCKED) == 1)
    gate.failing = set()
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
    await reaches(run, lambda progress: progress.counts.get(RowState.SUCCEEDED) == 2)
    await run.row("z").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).state is RunState.COMPLETED
    assert prism.states(run) == {"a": "succeeded", "b": "succeeded", "z": "succeeded"}


async def test_a_paused_run_starts_no_row_until_it_is_resumed(prism: Installation, gate: Gate) -> None:
    run = await prism.start("id,objective,depends_on,review\na,One,,required\nb,Two,a,\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.signal(CatalogWorkflow.pause, ME)
    await reaches(run, lambda progress: progress.state is RunState.PAUSED)
    await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    await reaches(run, lambda progress: progress.counts.get(RowState.SUCCEEDED) == 1)
    assert (await run.progress()).counts[RowState.PENDING] == 1
    await run.handle.signal(CatalogWorkflow.resume)
    assert (await run.result()).state is RunState.COMPLETED
    told = prism.query(
        "SELECT kind, actor, detail FROM audit_entries WHERE subject = :run AND kind LIKE 'run.%' ORDER BY sequence",
        run=f"run/{run.run}",
    )
    assert [(one["kind"], one["actor"]) for one in told] == [
        ("run.submitted", "tester"), ("run.paused", "tester"), ("run.resumed", "nobody"),
    ]  # fmt: skip
    assert '"via":"signal"' in told[1]["detail"]


async def test_no_more_rows_than_allowed_are_under_way_and_the_limit_can_change(
    prism: Installation, gate: Gate
) -> None:
    rows = "".join(f"r{number},Go,required\n" for number in range(8))
    run = await prism.start(f"id,objective,review\n{rows}", concurrency=2)
    await run.row_reaches("r1", lambda progress: progress.state is RowState.REVIEW)
    assert len((await run.progress()).running) == 2
    await run.handle.signal(CatalogWorkflow.set_concurrency, Concurrency(limit=5))
    await reaches(run, lambda progress: len(progress.running) == 5)
    await run.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await run.handle.result()


async def test_a_skipped_row_is_not_run_and_blocks_its_dependants(prism: Installation, gate: Gate) -> None:
    run = await prism.start("id,objective,depends_on,review\na,One,,required\nb,Two,a,\nc,Three,b,\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.signal(CatalogWorkflow.skip, RowSelection(rows=("b",)))
    await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    await run.result()
    assert prism.states(run) == {"a": "succeeded", "b": "skipped", "c": "blocked"}


async def test_cancelling_a_run_cancels_its_rows_and_records_all_of_them(prism: Installation, gate: Gate) -> None:
    run = await prism.start("id,objective,review\na,One,required\nb,Two,required\nc,Three,\n", concurrency=2)
    await run.row_reaches("b", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await run.handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert prism.states(run) == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}
    assert prism.query("SELECT state FROM runs WHERE run = :run", run=run.run)[0]["state"] == "cancelled"


async def test_a_row_can_be_cancelled_alone(prism: Installation, gate: Gate) -> None:
    run = await prism.start("id,objective,review\na,One,required\nb,Two,\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.row("a").cancel()
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run) == {"a": "cancelled", "b": "succeeded"}


async def test_every_row_notifies_once(prism: Installation, gate: Gate) -> None:
    run = await prism.start("id,objective\na,One\nb,Two\n")
    await run.result()
    assert len(prism.query("SELECT * FROM notifications WHERE run = :run", run=run.run)) == 2
