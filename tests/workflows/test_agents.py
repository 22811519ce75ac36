"""Agents work on a row together: each turn is a step, paid for once, and told in provenance."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
from temporalio.client import Client

from activities.agents.agents_folder import load_agents
from activities.llm.contracts import ModelRequest
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.records.contracts import RowState, RunState
from tests.installation import Installation, Run
from tests.workflows.test_row_custody import statement
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowSelection

AGENTS = load_agents()
HEAD = "id,objective,agent,pattern,rounds,depends_on,verification,remember,knowledge,review\n"


def by_agent(answers: dict[str, str]) -> Callable[[ModelRequest], str]:
    """Answer each agent's turns by a script of its own."""
    names = {AGENTS[name].system: text for name, text in answers.items()}
    return lambda request: names.get(request.system, "An answer.")


async def output(prism: Installation, run: Run) -> str:
    kept = prism.query("SELECT output_digest FROM rows WHERE run = :run AND row = 'a'", run=run.run)[0]
    return (await prism.stores.artifacts.get(kept["output_digest"])).decode()


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    home = tmp_path_factory.mktemp("prism")
    handbook = home / "documents" / "handbook"
    handbook.mkdir(parents=True)
    (handbook / "leave.md").write_text("# Leave\n\nAnnual leave is thirty days.\n")
    settings = Settings(home=home, knowledge=home / "documents")
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


def told(prism: Installation, run: str, row: str) -> list[str]:
    kept = "SELECT summary FROM steps WHERE run = :run AND row = :row AND step = 'model' ORDER BY ordinal"
    return [one["summary"] for one in prism.query(kept, run=run, row=row)]


def asked(prism: Installation, row: str) -> set[tuple[str, str]]:
    return {(one.step.key, one.digest) for one in prism.model.requests if one.step.row == row}


async def test_each_turn_of_a_pipeline_is_a_step_that_sees_the_turns_before(prism: Installation) -> None:
    prism.model.answer = by_agent({"writer": "A draft.", "critic": "Too short.", "editor": "A longer text."})
    run = await prism.start(HEAD + "a,Write,writer > critic > editor,pipeline,,,,,,\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert [summary.split(":")[0] for summary in told(prism, run.run, "a")] == ["writer", "critic", "editor"]
    prompts = await prism.model.prompts()
    assert "A draft." in prompts[1]
    assert "Too short." in prompts[2]
    assert "A draft." in prompts[2]
    acts = custody_of(await statement(prism, run, "a"))
    wrote = [act for act in acts if act.act is Act.WRITTEN]
    assert [act.agent for act in wrote] == ["writer@1", "critic@1", "editor@1"]
    assert [act.definition for act in wrote] == [AGENTS[name].digest for name in ("writer", "critic", "editor")]
    assert wrote[0].template == "composed/1 turn/1"


async def test_a_vote_takes_what_more_than_half_say_and_fails_where_nothing_is(prism: Installation) -> None:
    prism.model.answer = by_agent({"writer": "Yes.", "critic": "no", "editor": "yes"})
    run = await prism.start(HEAD + "a,Decide,critic; writer; editor,vote,,,,,,\nb,Decide,critic; writer,vote,,,,,,\n")
    assert (await run.result()).counts == {RowState.SUCCEEDED: 1, RowState.VERIFICATION_FAILED: 1}
    assert await output(prism, run) == "Yes."
    acts = custody_of(await statement(prism, run, "a"))
    choice = next(act for act in acts if act.act is Act.CHOSEN)
    assert (choice.by, choice.outcome, choice.agent) == ("vote", "2 of 3", "writer@1")
    kept = prism.query("SELECT code FROM rows WHERE run = :run AND row = 'b'", run=run.run)[0]
    assert kept["code"] == "NO_AGREEMENT"


async def test_a_judge_chooses_by_number_without_knowing_who_wrote(prism: Installation) -> None:
    prism.model.answer = by_agent({"writer": "First.", "editor": "Second.", "judge": "BEST: 2"})
    run = await prism.start(HEAD + "a,Write,writer; editor; judge,judge,,,,,,\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert await output(prism, run) == "Second."
    asked = (await prism.model.prompts())[-1]
    assert "Answer 2" in asked
    assert "editor" not in asked


async def test_a_debate_goes_on_for_its_rounds_and_ends_with_the_last_agent(prism: Installation) -> None:
    prism.model.answer = by_agent({"advocate": "For.", "sceptic": "Against.", "moderator": "So it is."})
    run = await prism.start(HEAD + "a,Settle,advocate; sceptic; moderator,debate,3,,,,,\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert await output(prism, run) == "So it is."
    assert len(prism.model.requests) == 3 * 2 + 1


async def test_a_list_is_worked_through_part_by_part_and_brought_together(prism: Installation) -> None:
    prism.model.answer = by_agent({"lister": "1. one\n- two\n\nthree\n", "writer": "Done.", "editor": "All done."})
    run = await prism.start(HEAD + "a,Do,lister > writer > editor,map,,,,,,\n")
    assert (await run.result()).state is RunState.COMPLETED
    asked = "\n".join(await prism.model.prompts())
    parts = re.findall(r"Do this part of the task only: (\w+)", asked)
    assert sorted(parts) == ["one", "three", "two"]
    assert await output(prism, run) == "All done."


async def test_another_execution_of_the_row_asks_for_every_turn_under_its_key(prism: Installation) -> None:
    prism.model.answer = by_agent({"judge": "BEST: 1"})
    rows = "a,Do,writer; critic; editor; judge,judge,shell,exit 1,\nz,Wait,,,,,required\n"
    run = await prism.start("id,objective,agent,pattern,language,code,review\n" + rows)
    while (await run.progress()).counts.get(RowState.FAILED) != 1:
        await asyncio.sleep(0.02)
    first = asked(prism, "a")
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
    while len(prism.model.requests) < len(first) * 2 + 1:
        await asyncio.sleep(0.02)
    await run.handle.cancel()
    assert len(first) == 4
    assert asked(prism, "a") == first


async def test_the_one_whose_text_failed_writes_it_again(prism: Installation) -> None:
    answers = iter(["First.", "A zebra."])
    script = by_agent({"writer": "Draft.", "critic": "Fine."})
    prism.model.answer = lambda request: next(answers) if request.system == AGENTS["editor"].system else script(request)
    run = await prism.start(HEAD + "a,Write,writer > critic > editor,pipeline,,,contains:zebra,,,\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert len(prism.model.requests) == 4
    assert len({request.step.key for request in prism.model.requests}) == 4
    assert "First." in (await prism.model.prompts())[-1]


async def test_agents_read_what_the_run_remembers_and_passages_of_documents(prism: Installation) -> None:
    prism.model.answer = lambda request: "The tone is dry."
    run = await prism.start(
        HEAD + "a,Set the tone,,,,,,tone,,\nb,How much annual leave is there,writer,,,a,,,handbook,\n",
    )
    assert (await run.result()).state is RunState.COMPLETED
    prompt = (await prism.model.prompts())[-1]
    assert "Note tone:\n```\nThe tone is dry." in prompt
    assert "Passage of handbook/leave.md:1" in prompt
    assert "thirty days" in prompt
    used = (await statement(prism, run, "b"))["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"passage/handbook/leave.md:1", "note/tone", "agent/writer@1"} <= {one["name"] for one in used}
    assert prism.model.requests[-1].step.context
