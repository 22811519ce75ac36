"""Processes are killed with SIGKILL in the middle of the work: nothing is lost and nothing is done twice."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from activities.audit.checkpoints import read_anchor
from activities.audit.signing import PublicKeys
from activities.audit.verify import verify_database
from activities.feedback.contracts import Given, Rating
from activities.feedback.register import SqlFeedbackRegister
from activities.records.contracts import RowState, RunState
from activities.reflections.contracts import ReflectRequest
from activities.reviews.contracts import ReviewDecision
from temporal.names import REFLECTION_WORKFLOWS, TaskQueue
from tests.chaos.conftest import System
from tests.installation import Installation, Run
from workflows.contracts import ReflectionRun
from workflows.reflection import ReflectionWorkflow
from workflows.row import RowWorkflow

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]
# More of them in `make chaos`: what is proven is the same, with more luck needed to miss a fault.
MANY = int(os.environ.get("PRISM_CHAOS_ROWS", "150"))


PROPOSAL = json.dumps({"prompt": "Greet everybody.", "summary": "It greets.", "reasons": []})


def catalog(rows: int) -> str:
    return "id,objective\n" + "".join(f"row-{number},Write line {number}\n" for number in range(rows))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(300):
        while not await condition():
            await asyncio.sleep(0.05)


def assert_everything_happened_once(prism: Installation, run: Run, rows: int) -> None:
    assert set(prism.states(run).values()) == {"succeeded"}
    assert len(prism.states(run)) == rows
    for table in ("notifications", "calls"):
        key = "key LIKE :prefix"
        found = prism.query(f"SELECT count(*) AS n FROM {table} WHERE {key}", prefix=f"catalog/{run.run}/%")  # noqa: S608
        assert found == [{"n": rows}], table
    ends = prism.query(
        "SELECT count(*) AS n FROM events WHERE run = :run AND kind = 'row' AND key LIKE '%/succeeded'", run=run.run
    )
    assert ends == [{"n": rows}]
    decided = prism.query(
        "SELECT count(*) AS n FROM audit_entries WHERE kind = 'policy.decided' AND subject LIKE :prefix",
        prefix=f"run/{run.run}/row/%",
    )
    assert decided == [{"n": rows}]


def assert_the_audit_log_is_whole(parts: System, prism: Installation) -> None:
    keys = PublicKeys([parts.settings.public_key.read_bytes()])
    kept = read_anchor(parts.settings.audit_anchor)
    report = verify_database(prism.stores.engine, keys, [kept] if kept else [])
    assert report.faults == ()


async def test_a_worker_killed_during_model_calls_pays_nothing_and_runs_no_tool_twice(
    system: tuple[System, Installation], tmp_path: Path
) -> None:
    parts, prism = system
    await found_wanting(prism)
    call = [{"name": "draw", "arguments": {}}]
    await parts.vendor.script(reset=True, delay=1.5)
    await parts.vendor.script(answers={"drawn": "One.", "The agent writer works under": PROPOSAL}, calls=[call, call])
    of_agents = await drawing(prism, tmp_path).start("id,objective,agent,pattern\na,Draw,drawer; another,vote\n")
    await until(lambda: _seen(parts, 4))
    run = await prism.start(catalog(3), concurrency=3)
    proposed = await reflecting(prism)
    await until(lambda: _seen(parts, 8))
    parts.kill("worker")
    assert (await run.result()).state is RunState.COMPLETED
    assert (await of_agents.result()).state is RunState.COMPLETED
    # A proposal is a row like all others: it waits for a person, and was paid for once.
    await until(lambda: _waits(prism, proposed))
    seen = await parts.vendor.calls()
    assert seen["requests"] == 8
    assert_everything_happened_once(prism, run, 3)
    drawn = {body["messages"][-1]["content"] for body in seen["bodies"] if body["messages"][-1]["role"] == "tool"}
    kept = prism.query("SELECT result FROM tool_results WHERE key LIKE :row", row=f"catalog/{of_agents.run}/%")
    assert len(drawn) == len(kept) == 2


async def found_wanting(prism: Installation) -> None:
    """Have somebody find fault with what the writer wrote."""
    run = await prism.start("id,objective,agent\na,Greet.,writer\n")
    await run.result()
    vote = Given(run=run.run, row="a", by="ana", rating=Rating.BAD, reason="It greets nobody.")
    await SqlFeedbackRegister(prism.stores.engine).rate(vote)


async def reflecting(prism: Installation) -> Run:
    """Begin a reflection on that, and return the run in which a prompt is proposed."""
    identity = "reflect-killed"
    reflection = await prism.client.start_workflow(
        ReflectionWorkflow.run,
        ReflectionRun(reflect=ReflectRequest(reflection=identity, agent="writer", wanted=1)),
        id=f"{REFLECTION_WORKFLOWS}{identity}",
        task_queue=TaskQueue.WORKFLOWS,
    )
    return Run(prism.client, identity, reflection)  # type: ignore[arg-type]


def drawing(prism: Installation, home: Path) -> Installation:
    """Return the installation with two agents whose tool never says the same twice."""
    agents, tools = home / "agents", home / "tools.yaml"
    agents.mkdir()
    for name in ("drawer", "another"):
        (agents / f"{name}.yaml").write_text(f"name: {name}\nsystem: You are {name}.\ntools: [draw]\n")
    draw = 'import uuid; print("drawn", uuid.uuid4())'
    tools.write_text(f"tools: {{draw: {{description: Draws., language: python, code: {json.dumps(draw)}}}}}\n")
    settings = prism.settings.model_copy(update={"agents": agents, "tools": tools})
    return Installation.with_settings(settings, prism.client, lambda request: "")


async def test_a_worker_killed_right_after_the_model_answered_pays_nothing_twice(
    system: tuple[System, Installation],
) -> None:
    parts, prism = system
    await parts.vendor.script(reset=True, delay=0.3)
    run = await prism.start(catalog(4), concurrency=4)

    async def answered() -> bool:
        return int((await parts.vendor.calls())["answered"]) >= 4

    await until(answered)
    parts.kill("worker")
    assert (await run.result()).state is RunState.COMPLETED
    assert await parts.vendor.requests() == 4
    assert_everything_happened_once(prism, run, 4)


async def test_a_worker_killed_while_planned_rows_join_adds_them_once(system: tuple[System, Installation]) -> None:
    parts, prism = system
    planned = json.dumps({"rows": [{"id": name, "objective": f"Write {name}"} for name in ("one", "two")]})
    await parts.vendor.script(reset=True, answers={"Propose the rows": planned})
    run = await prism.start("id,objective,agent,pattern,depends_on\nplan,Plan,planner,plan,\nend,End,,,plan\n")
    await run.row_reaches("plan", lambda progress: progress.state is RowState.REVIEW)
    await run.row("plan").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    parts.kill("worker")
    assert (await run.result()).counts == {RowState.SUCCEEDED: 4}
    assert await parts.vendor.requests() == 4
    joined = "SELECT count(*) AS n FROM audit_entries WHERE kind = 'run.grown' AND subject = :run"
    assert prism.query(joined, run=f"run/{run.run}") == [{"n": 1}]
    assert set(prism.states(run)) == {"plan", "end", "one", "two"}


async def test_many_rows_survive_the_death_of_worker_and_server(system: tuple[System, Installation]) -> None:
    parts, prism = system
    await parts.vendor.script(reset=True, delay=0.05)
    run = await prism.start(catalog(MANY), concurrency=40)
    await until(lambda: _ended(prism, run, MANY // 5))
    parts.kill("worker")
    await until(lambda: _ended(prism, run, MANY // 2))
    parts.kill("temporal")
    await until(lambda: _ended(prism, run, MANY * 3 // 4))
    parts.kill("worker")
    assert (await run.result()).counts == {RowState.SUCCEEDED: MANY}
    assert await parts.vendor.requests() == MANY
    assert_everything_happened_once(prism, run, MANY)
    assert_the_audit_log_is_whole(parts, prism)


async def _seen(parts: System, count: int) -> bool:
    return await parts.vendor.requests() >= count


async def _ended(prism: Installation, run: Run, count: int) -> bool:
    return sum(state == "succeeded" for state in prism.states(run).values()) >= count


async def _waits(prism: Installation, run: Run) -> bool:
    return set(prism.states(run).values()) == {"review"}
