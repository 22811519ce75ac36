"""A run that outgrows one history, on a real server that suggests to continue as new early."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.llm.contracts import ModelRequest
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from temporal.address import TemporalAddress
from temporal.contract import run_workflow_id
from temporal.dev_server import dev_server_command
from tests.conftest import answering, free_port
from tests.installation import Installation, Run
from workflows.contracts import RowSelection
from workflows.row import RowWorkflow

ROWS = 120
EVENTS = 150
PLANNED = 30


@pytest.fixture(scope="module")
async def eager_client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server that suggests to continue as new after few events."""
    port = free_port()
    command = dev_server_command(tmp_path_factory.mktemp("eager") / "temporal.db", port, free_port())
    command += ["--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={EVENTS}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield await answering(TemporalAddress(target=f"127.0.0.1:{port}"))
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
async def prism(tmp_path_factory: pytest.TempPathFactory, eager_client: Client) -> AsyncIterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("prism"), eager_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


async def continuations(run: Run) -> int:
    """Return how many executions of the run's workflow there are."""
    found = [
        execution
        async for execution in run.client.list_workflows(f"WorkflowId = '{run_workflow_id(run.run)}'")
        if execution.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    ]
    return len(found)


async def test_a_long_run_continues_as_new_and_runs_every_row_once(prism: Installation) -> None:
    prism.model.requests.clear()
    rows = "".join(f"row-{number},Go,{f'row-{number - 1}' if number % 3 == 2 else ''}\n" for number in range(ROWS))
    run = await prism.start(f"id,objective,depends_on\n{rows}", concurrency=10)
    result = await run.result()
    assert result.counts == {RowState.SUCCEEDED: ROWS}
    assert len(prism.model.requests) == ROWS
    assert set(prism.states(run).values()) == {"succeeded"}
    assert await continuations(run) >= 2


async def test_a_row_under_review_outlives_the_execution_that_started_it(prism: Installation) -> None:
    rows = "".join(f"row-{number},Go,\n" for number in range(ROWS))
    run = await prism.start(f"id,objective,review\nwaiting,Wait,required\n{rows}", concurrency=8)
    async with asyncio.timeout(100):
        while True:
            with contextlib.suppress(Exception):
                if (await run.progress()).counts.get(RowState.SUCCEEDED) == ROWS:
                    break
            await asyncio.sleep(0.1)
    assert await continuations(run) >= 1
    await run.row("waiting").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).counts == {RowState.SUCCEEDED: ROWS + 1}


async def test_a_failed_row_blocks_its_dependants_across_executions(prism: Installation) -> None:
    def answer(request: ModelRequest) -> str:
        return "a" if request.step.row == "first" else "b"

    prism.model.answer = answer
    rows = "".join(f"row-{number},Go,,,\n" for number in range(ROWS))
    run = await prism.start(
        f"id,objective,depends_on,verification,review\nfirst,Go,,contains:z,policy\n{rows}last,Go,first,,\n",
        concurrency=8,
    )
    await run.row_reaches("first", lambda progress: progress.state is RowState.REVIEW)
    async with asyncio.timeout(100):
        while not await continuations(run):
            await asyncio.sleep(0.1)
    await run.row("first").signal(RowWorkflow.reject, ReviewDecision(by="ana", comment="wrong"))
    result = await run.result()
    assert result.state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run)["last"] == "blocked"


async def test_what_is_asked_of_a_run_while_it_continues_is_not_lost(prism: Installation) -> None:
    waiting = "".join(f"waiting-{number},Wait,required,\n" for number in range(6))
    later = "".join(f"later-{number},Go,,waiting-0\n" for number in range(ROWS // 3))
    rows = "".join(f"row-{number},Go,,\n" for number in range(ROWS // 3))
    run = await prism.start(f"id,objective,review,depends_on\n{waiting}{later}{rows}", concurrency=9)
    handle = run.client.get_workflow_handle(run_workflow_id(run.run))
    for number in range(ROWS // 3):
        await handle.signal("skip", RowSelection(rows=(f"later-{number}",)))
        with contextlib.suppress(Exception):  # A run that continues just now has no answer.
            await run.progress()
    for number in range(6):
        await run.row_reaches(f"waiting-{number}", lambda progress: progress.state is RowState.REVIEW)
        await run.row(f"waiting-{number}").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).counts == {RowState.SUCCEEDED: ROWS // 3 + 6, RowState.SKIPPED: ROWS // 3}
    assert await continuations(run) >= 2


async def test_planned_rows_join_a_continuation_and_outlive_it(prism: Installation) -> None:
    planned = json.dumps({"rows": [{"id": f"new-{number}", "objective": "Go"} for number in range(PLANNED)]})
    prism.model.answer = lambda request: planned if request.step.row == "plan" else f"Of {request.step.row}."
    rows = "".join(f"row-{number},Go,,,,\n" for number in range(ROWS // 3))
    run = await prism.start(
        f"id,objective,agent,pattern,plan_rows,depends_on\nplan,Plan,planner,plan,{PLANNED},\nend,End,,,,plan\n{rows}",
        concurrency=8,
    )
    await run.row_reaches("plan", lambda progress: progress.state is RowState.REVIEW)
    async with asyncio.timeout(100):
        while not await continuations(run):
            await asyncio.sleep(0.1)
    await run.row("plan").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    async with asyncio.timeout(100):
        while len(prism.states(run)) == ROWS // 3 + 2:
            await asyncio.sleep(0.1)
    before = await continuations(run)
    assert (await run.result()).counts == {RowState.SUCCEEDED: ROWS // 3 + 2 + PLANNED}
    assert await continuations(run) > before
    asked = [request.step.row for request in prism.model.requests if request.step.run == run.run]
    assert len(asked) == len(set(asked)) == ROWS // 3 + 2 + PLANNED
    prompt = (await prism.model.prompts())[-1]
    assert all(f"Of new-{number}." in prompt for number in range(PLANNED))
