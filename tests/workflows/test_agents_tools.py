"""Agents call tools of their own in their turns, side by side too: each asked about, run once, told in provenance."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.agents.agents_folder import load_agents
from activities.llm.contracts import ModelRequest
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.records.contracts import RowState, RunState
from tests.installation import Installation, Run
from tests.workflows.test_row_custody import statement
from workers.policy import POLICIES
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowSelection

TOOLS = """
tools:
  add:
    description: Adds two numbers.
    parameters: "a:number; b:number"
    language: python
    code: |
      import json, sys
      given = json.load(sys.stdin)
      print(given["a"] + given["b"])
  draw: {description: Never says the same twice., language: python, code: "import uuid; print(uuid.uuid4())"}
  kept-away: {description: Is kept from the checker., language: shell, code: echo never}
"""
AGENTS = {
    "reckoner": "tools: [add, draw]\nlimits: {tool_rounds: 2}\n",
    "drawer": "tools: [draw]\nlimits: {tool_calls: 1}\n",
    "checker": "tools: [add, kept-away]\n",
}
HEAD = "id,objective,agent,pattern,tools,language,code,review\n"
ADD = ("add", '{"a": 2, "b": 3}')
Calls = list[tuple[str, str]]
Script = Callable[[ModelRequest], str | Calls]


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    home = tmp_path_factory.mktemp("agents-tools")
    (home / "tools.yaml").write_text(TOOLS)
    (home / "agents").mkdir()
    for name, more in AGENTS.items():
        (home / "agents" / f"{name}.yaml").write_text(f"name: {name}\nsystem: You are the {name}.\n{more}")
    shutil.copytree(POLICIES, home / "policies")
    data = home / "policies" / "tools" / "data.json"
    rules = {"forbidden_to_agents": {"checker": ["kept-away"]}}
    data.write_text(json.dumps(json.loads(data.read_text()) | rules))
    settings = Settings(home=home, tools=home / "tools.yaml", agents=home / "agents", policies=home / "policies")
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


@pytest.fixture
def prism(installed: Installation) -> Installation:
    installed.model.requests.clear()
    return installed


def scripted(**scripts: str | Calls | tuple[str | Calls, ...]) -> Script:
    """Answer each agent by the number of its rounds before, the last answer for ever; others in one word."""

    def answer(request: ModelRequest) -> str | Calls:
        script = next((one for name, one in scripts.items() if f"You are the {name}." in request.system), "Done.")
        turns = script if isinstance(script, tuple) else (script,)
        return "At last." if request.closing else turns[min(len(request.turns), len(turns) - 1)]

    return answer


async def told(prism: Installation, request: ModelRequest) -> list[str]:
    """Return what the model was told of its calls so far."""
    results = [one for turn in request.turns for one in turn.results]
    return [one.error or await prism.stores.texts.read(one.text) for one in results if one.error or one.text]


async def end(prism: Installation, csv: str, **options: int) -> Run:
    run = await prism.start(HEAD + csv, **options)
    assert (await run.result()).state is RunState.COMPLETED
    return run


async def test_each_agent_of_a_row_calls_its_own_tools_and_no_others(prism: Installation) -> None:
    prism.model.answer = scripted(
        reckoner=([ADD], "It is 5."),
        checker=([("add", '{"a": 1, "b": 1}'), ("kept-away", ""), ("draw", "")], "It is 5 indeed."),
    )
    run = await end(prism, "a,Reckon,reckoner > checker > editor,pipeline,,,,\n")
    asked = prism.model.requests
    assert [list(request.tools) for request in asked] == [["add", "draw"]] * 2 + [["add", "kept-away"]] * 2 + [[]]
    assert await told(prism, asked[1]) == ["5\n"]
    assert await told(prism, asked[3]) == [
        "2\n",
        "kept-away was not called: tool kept-away is forbidden to agent checker",
        "draw was not called: there is no tool 'draw'; there are add, kept-away",
    ]
    acts = [act for act in custody_of(await statement(prism, run, "a")) if act.act in {Act.WRITTEN, Act.CALLED}]
    calls = [(act.agent, act.by, act.outcome) for act in acts if act.act is Act.CALLED]
    assert calls == [
        ("reckoner@1", "tool add", "ok"),
        ("checker@1", "tool add", "ok"),
        ("checker@1", "tool kept-away", "denied"),
        ("checker@1", "tool draw", "unknown"),
    ]
    agents = load_agents(prism.settings.agents)
    assert acts[1].definition == agents["reckoner"].digest
    steps = prism.query("SELECT summary FROM steps WHERE run = :run AND step = 'tool'", run=run.run)
    assert sorted(one["summary"].split(": ok")[0] for one in steps) == ["checker", "reckoner"]


async def test_a_row_narrows_what_its_agents_may_call(prism: Installation) -> None:
    await end(prism, "a,Reckon,reckoner > checker,pipeline,draw,,,\nb,Reckon,checker,,add,,,\n")
    found = {(request.step.row, request.system): list(request.tools) for request in prism.model.requests}
    assert found == {
        ("a", "You are the reckoner."): ["draw"],
        ("a", "You are the checker."): [],
        ("b", "You are the checker."): ["add"],
    }


async def test_an_agents_limits_hold_beside_those_of_the_run(prism: Installation) -> None:
    prism.model.answer = scripted(reckoner=[ADD], drawer=([("draw", "")] * 2, "Drawn."), checker=[ADD])
    await end(prism, "a,Reckon,reckoner; drawer; checker; judge,debate,,,,\n", tool_rounds=3)
    first = {
        request.system: request for request in prism.model.requests if "Answer 1" not in await told_task(prism, request)
    }
    assert {system: len(request.turns) for system, request in first.items() if "You are the" in system} == {
        "You are the reckoner.": 2,
        "You are the drawer.": 1,
        "You are the checker.": 3,
    }
    assert (await told(prism, first["You are the drawer."]))[1] == "draw was not called: drawer may call tools 1 times"


async def told_task(prism: Installation, request: ModelRequest) -> str:
    return await prism.stores.texts.read(request.prompt)


async def test_another_execution_finds_every_answer_and_every_result_of_turns_side_by_side(
    prism: Installation,
) -> None:
    prism.model.answer = scripted(
        reckoner=([("draw", "")], [("draw", "")], "One."), drawer=([("draw", "")], "One."), checker=([ADD], "One.")
    )
    rows = "a,Draw,reckoner; drawer; checker,vote,,shell,exit 1,\nz,Wait,,,,,,required\n"
    run = await prism.start(HEAD + rows)
    async with asyncio.timeout(60):
        while (await run.progress()).counts.get(RowState.FAILED) != 1:
            await asyncio.sleep(0.02)
        first = [(one.step.key, one.digest) for one in prism.model.requests if one.step.row == "a"]
        await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
        while len(prism.model.requests) < len(first) * 2 + 1:
            await asyncio.sleep(0.02)
    await run.handle.cancel()
    assert len(set(first)) == len(first) == 3 + 2 + 2
    # What they drew is in what they were asked: drawn again it would be another request.
    again = [(one.step.key, one.digest) for one in prism.model.requests if one.step.row == "a"][len(first) :]
    assert sorted(again) == sorted(first)


def test_a_tool_that_is_not_there_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "reckoner.yaml"
    path.write_text("name: reckoner\nsystem: Reckon.\ntools:\n- add\n- adds\n- draw\nlimits: {tool_calls: -1}\n")
    with pytest.raises(Exception, match="cannot be used") as refused:
        load_agents(tmp_path, ["add"])
    lines = str(refused.value).splitlines()
    assert str(path) in lines[0]
    assert lines[1].strip() == "line 5: tools.1: there is no tool 'adds'; did you mean 'add'?"
    assert lines[2].strip() == "line 6: tools.2: there is no tool 'draw': there are add"
    assert lines[3].strip().startswith("line 7: limits.tool_calls")
