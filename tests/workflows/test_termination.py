"""Runs and rows that somebody ends from outside, on the real dev server."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from activities.policy.embedded import EmbeddedPolicy
from activities.records.contracts import RowState, RunState
from activities.records.queries import RecordQueries
from activities.reviews.contracts import ReviewDecision
from activities.scans.gitleaks import GitleaksScanner
from api.control import cancel_run, retry
from api.errors import Conflict
from api.services import Services
from api.submission import start
from tests.installation import Installation, Run
from workers.policy import POLICIES
from workflows.catalog import CatalogWorkflow
from workflows.contracts import CatalogRun
from workflows.planning import JOIN
from workflows.row import RowWorkflow

CATALOG = "id,objective,review,depends_on\na,One,required,\nb,Two,,\nc,Three,,a\n"


def services(prism: Installation) -> Services:
    queries, policy = RecordQueries(prism.stores.engine), EmbeddedPolicy(POLICIES)
    return Services(prism.settings, prism.stores, queries, prism.client, policy, GitleaksScanner())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def swept(prism: Installation, run: Run, state: str) -> None:
    """Sweep until the index of workflows has caught up."""

    async def reached() -> bool:
        await services(prism).terminations.sweep()
        found = prism.query("SELECT state FROM runs WHERE run = :run", run=run.run)
        return bool(found) and found[0]["state"] == state

    await until(reached)


async def in_review(prism: Installation) -> Run:
    run = await prism.start(CATALOG)
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)

    async def other_ended() -> bool:
        return prism.states(run).get("b") == "succeeded"

    await until(other_ended)
    return run


def taken_up(prism: Installation, run: Run) -> Run:
    """The run's newest execution."""
    return Run(prism.client, run.run, prism.client.get_workflow_handle_for(CatalogWorkflow.run, run.handle.id))


async def test_a_row_terminated_from_outside_is_recorded_as_failed(prism: Installation) -> None:
    run = await in_review(prism)
    await run.row("a").terminate("an operator did this")
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run) == {"a": "failed", "b": "succeeded", "c": "blocked"}


async def test_a_run_terminated_from_outside_says_so_and_its_retry_takes_up_the_rows_it_left(
    prism: Installation,
) -> None:
    run = await in_review(prism)
    await run.handle.terminate("an operator did this")
    await swept(prism, run, "terminated")
    assert prism.states(run) == {"a": "review", "b": "succeeded", "c": "pending"}
    with pytest.raises(Conflict, match="terminated"):
        await cancel_run(services(prism), run.run)
    asked = len(prism.model.requests)
    await retry(services(prism), run.run, [])
    await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await taken_up(prism, run).result()).state is RunState.COMPLETED
    assert prism.states(run) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert len(prism.model.requests) == asked + 1


async def test_a_row_that_succeeds_while_its_run_is_taken_up_again_does_not_run_twice(
    prism: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await in_review(prism)
    await run.handle.terminate("an operator did this")
    await swept(prism, run, "terminated")

    async def succeeded() -> bool:
        return prism.states(run)["a"] == "succeeded"

    async def start_late(services: Services, request: CatalogRun) -> bool:
        await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
        await until(succeeded)
        await run.row("a").result()
        return await start(services, request)

    monkeypatch.setattr("api.control.start", start_late)
    asked = len(prism.model.requests)
    await retry(services(prism), run.run, [])
    assert (await taken_up(prism, run).result()).state is RunState.COMPLETED
    assert prism.states(run) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert [request.step.row for request in prism.model.requests[asked:]] == ["c"]


async def test_a_run_hears_of_a_row_that_was_terminated_after_the_run_let_go_of_it(prism: Installation) -> None:
    run = await in_review(prism)
    await run.handle.terminate("so that the row has no parent that is told")
    await swept(prism, run, "terminated")
    await retry(services(prism), run.run, [])

    async def adopted() -> bool:
        async for event in taken_up(prism, run).handle.fetch_history_events():
            if event.HasField("external_workflow_execution_signaled_event_attributes"):
                return True
        return False

    await until(adopted)
    await run.row("a").terminate("an operator did this")
    await swept(prism, run, "completed_with_failures")
    assert prism.states(run) == {"a": "failed", "b": "succeeded", "c": "blocked"}


async def test_rows_that_nobody_took_in_join_the_run_that_takes_up_their_planner(prism: Installation) -> None:
    planned = json.dumps({"rows": [{"id": "new", "objective": "Go"}]})
    prism.model.answer = lambda request: planned if request.step.row == "plan" else "An answer."
    run = await prism.start("id,objective,agent,pattern,depends_on\nplan,Plan,planner,plan,\nend,End,,,plan\n")
    await run.row_reaches("plan", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.terminate("an operator did this")
    await swept(prism, run, "terminated")
    await run.row("plan").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    await run.row_reaches("plan", lambda progress: progress.step == JOIN)
    await retry(services(prism), run.run, [])
    assert (await taken_up(prism, run).result()).counts == {RowState.SUCCEEDED: 3}
    assert prism.states(run) == {"plan": "succeeded", "end": "succeeded", "new": "succeeded"}
