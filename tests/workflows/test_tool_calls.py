"""Tools that a model calls: asked about, carried out in the sandbox, told to the model; each a step, each paid once."""

import json
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from temporalio.client import Client

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelRequest
from activities.provenance.contracts import Act
from activities.provenance.custody import custody_of
from activities.records.contracts import RowState, RunState
from tests.installation import Installation, Run
from tests.workflows.test_row_custody import statement
from workers.policy import POLICIES
from workers.settings import Settings
from workflows.row import RowWorkflow

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
  fail: {description: Fails., language: python, code: "raise SystemExit('broken')"}
  forbidden: {description: Is forbidden., language: python, code: print(1)}
  looked-at: {description: A person looks., language: shell, code: echo seen}
"""
Calls = list[tuple[str, str]]


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    home = tmp_path_factory.mktemp("tools")
    (home / "tools.yaml").write_text(TOOLS)
    policies = shutil.copytree(POLICIES, home / "policies")
    data = policies / "tools" / "data.json"
    rules = {"forbidden": ["forbidden"], "reviewed": ["looked-at"]}
    data.write_text(json.dumps(json.loads(data.read_text()) | rules))
    settings = Settings(home=home, tools=home / "tools.yaml", policies=policies)
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


@pytest.fixture
def prism(installed: Installation) -> Installation:
    installed.model.requests.clear()
    return installed


def scripted(*rounds: Calls | str) -> Callable[[ModelRequest], str | Calls]:
    """Return a model that gives these answers, the last one for ever."""
    left = list(rounds)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


async def steps(prism: Installation, run: Run) -> list[tuple[str, str]]:
    sql = "SELECT step, summary FROM steps WHERE run = :run ORDER BY started_at, finished_at"
    return [(one["step"], one["summary"]) for one in prism.query(sql, run=run.run)]


async def told(prism: Installation, request: ModelRequest) -> list[str]:
    """Return what the model was told of its calls in the last turn."""
    texts = prism.stores.texts
    last = request.turns[-1]
    return [one.error or await texts.read(one.text or Text.by_value("")) for one in last.results]


async def test_what_a_tool_printed_goes_back_to_the_model_and_into_provenance(prism: Installation) -> None:
    prism.model.answer = scripted([("add", '{"a": 2, "b": 3}'), ("add", '{"b": 1, "a": 1}')], "It is 5.")
    run = await prism.start("id,objective,tools\na,Add,add\n")
    assert (await run.result()).state is RunState.COMPLETED
    first, second = prism.model.requests
    assert first.step.key != second.step.key
    assert list(first.tools) == ["add"]
    assert await told(prism, second) == ["5\n", "2\n"]
    assert second.turns[0].calls[0].arguments.inline is None
    taken = [name for name, _ in await steps(prism, run)]
    assert taken[2:8] == ["model", "tool-policy", "tool", "tool-policy", "tool", "model"]
    record = prism.query("SELECT output, cost_usd FROM rows WHERE run = :run", run=run.run)[0]
    assert (record["output"], record["cost_usd"]) == ("It is 5.", 0.5)
    acts = custody_of(await statement(prism, run, "a"))
    assert [act.act for act in acts[:4]] == [Act.WRITTEN, Act.CALLED, Act.CALLED, Act.WRITTEN]
    assert acts[1].arguments == Text.by_value('{"a":2,"b":3}').digest
    assert acts[1].stdout == Text.by_value("5\n").digest
    assert acts[1].program == first.tools["add"]


@pytest.mark.parametrize(
    ("call", "says", "outcome"),
    [
        (("ad", "{}"), "there is no tool 'ad'; did you mean 'add'?", "unknown"),
        (("add", "not JSON"), "it is not JSON", "invalid"),
        (("add", '{"a": "2"}'), "$.a: '2' is not of type 'number'", "invalid"),
        (("forbidden", "{}"), "tool forbidden is forbidden", "denied"),
        (("fail", ""), "fail ended with error, exit code 1", "error"),
    ],
)
async def test_a_call_that_fails_is_told_to_the_model_and_recorded(
    prism: Installation, call: tuple[str, str], says: str, outcome: str
) -> None:
    prism.model.answer = scripted([call], "So be it.")
    run = await prism.start('id,objective,tools\na,Add,"add, fail, forbidden"\n')
    assert (await run.result()).state is RunState.COMPLETED
    (error,) = await told(prism, prism.model.requests[1])
    assert says in error
    acts = custody_of(await statement(prism, run, "a"))
    assert [act.outcome for act in acts if act.act is Act.CALLED] == [outcome]
    ran = [name for name, _ in await steps(prism, run) if name == "tool"]
    assert len(ran) == (outcome == "error")


async def test_a_person_looks_at_what_some_tools_led_to(prism: Installation) -> None:
    prism.model.answer = scripted([("looked-at", "")], "Done.")
    run = await prism.start("id,objective,tools\na,Look,looked-at\n")
    progress = await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    assert progress.review == ("the model called tool looked-at",)
    await run.row("a").signal(RowWorkflow.approve, {"by": "ana"})
    assert (await run.result()).state is RunState.COMPLETED


async def test_a_model_that_calls_without_end_has_to_answer(prism: Installation) -> None:
    def answer(request: ModelRequest) -> str | Calls:
        return "At last." if request.closing else [("add", '{"a": 1, "b": 1}')]

    prism.model.answer = answer
    run = await prism.start("id,objective,tools\na,Add,add\n", tool_rounds=2)
    assert (await run.result()).state is RunState.COMPLETED
    assert [len(request.turns) for request in prism.model.requests] == [0, 1, 2]


async def test_a_row_calls_only_so_often(prism: Installation) -> None:
    prism.model.answer = scripted([("add", '{"a": 1, "b": 1}')] * 3, "Done.")
    run = await prism.start("id,objective,tools\na,Add,add\n", tool_calls=2)
    await run.result()
    assert (await told(prism, prism.model.requests[1]))[1:] == [
        "2\n",
        "add was not called: the row may call tools 2 times",
    ]


async def test_tools_come_before_an_answer_that_fits_a_schema(prism: Installation) -> None:
    prism.model.answer = scripted([("add", '{"a": 1, "b": 1}')], "two", '{"sum": 2}')
    run = await prism.start("id,objective,tools,output_schema\na,Add,add,sum:integer\n")
    assert (await run.result()).state is RunState.COMPLETED
    assert [bool(request.tools) for request in prism.model.requests] == [True, True, False]


def requests_of(**fields: Any) -> ModelRequest:
    return ModelRequest.model_validate({"step": {"run": "r", "row": "a", "step": "model"}, **fields})


def test_a_request_that_uses_nothing_new_has_the_digest_it_always_had() -> None:
    plain = requests_of(group="g", system="s", prompt=Text.by_value("p"), max_tokens=7)
    known = "sha256:7d8ffb3353261a4956e9dd5fc1f00ebe3a6e9641cb2b363335e26ec3e03496dc"
    assert plain.digest == known
    closing = plain.model_copy(update={"tools": {"add": known}, "closing": True})
    assert len({plain.digest, closing.digest, plain.model_copy(update={"output_schema": {}}).digest}) == 2
