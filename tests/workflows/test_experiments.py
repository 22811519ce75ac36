"""Rows that take part in an experiment run as its variants: what is asked, judged, recorded and proven."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.artifacts.contracts import digest_of
from activities.experiments.contracts import ExperimentSpec
from activities.experiments.register import SqlExperiments
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from catalogs.experiment import Variant
from catalogs.team import Agent
from tests.installation import DEADLINE, Installation
from tests.workflows.test_row_custody import statement
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowSelection
from workflows.row import RowWorkflow

MODELS = """
deployments:
  house: {model: openai/llama, url: "http://127.0.0.1:9/v1", local: true}
  cheap: {model: openai/gpt-4o-mini, key_secret: "secret://openai"}
groups: {house: {deployments: [house]}, cheap: {deployments: [cheap]}}
default: house
"""
POET = Agent(name="poet", version="2", system="Rhyme.")
# What keys 1 to 3 draw of each follows from their digests.
TONE = ExperimentSpec(
    name="tone", variants=(Variant(name="current"), Variant(name="terse", prompt="Be brief: {{ row.objective }}"))
)
HOUSE = ExperimentSpec(name="house", variants=(Variant(name="here"), Variant(name="out", model="cheap", agent=POET)))


@pytest.fixture(scope="module")
async def prism(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    home: Path = tmp_path_factory.mktemp("experiments")
    (home / "models.yaml").write_text(MODELS)
    settings = Settings(home=home, models=home / "models.yaml")
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    for spec in (TONE, HOUSE):
        await SqlExperiments(installation.stores.engine).create(spec)
    async with installation.worker():
        yield installation


async def test_rows_run_as_their_variants_and_the_policy_judges_them_so(prism: Installation) -> None:
    run = await prism.start(
        "id,objective,model,experiment,data_class\n"
        "terse,Say,house,tone:1,\ncurrent,Say,house,tone:3,\nout,Say,house,house:2,\n"
        "here,Say,house,house:1,confidential\nleaks,Say,house,house:2,confidential\nplain,Say,house,,\n"
    )
    await run.result()
    asked = {one.step.row: one for one in prism.model.requests}
    prompts = {row: await prism.stores.texts.read(one.prompt) for row, one in asked.items()}
    assert prompts["terse"] == "Be brief: Say"
    assert prompts["current"] == prompts["plain"] == prompts["out"] == "Say"
    assert (asked["out"].group, asked["out"].system, asked["here"].group) == ("cheap", "Rhyme.", "house")
    # Data that stays in the house does not leave it because a variant names another model.
    states = prism.states(run)
    assert states.pop("leaks") == RowState.DENIED
    assert set(states.values()) == {RowState.SUCCEEDED}
    kept = prism.query("SELECT row, experiment, variant, unit, agent, message FROM rows WHERE run = :run", run=run.run)
    found = {one["row"]: one for one in kept}
    assert 'no local model may answer for model "cheap"' in found["leaks"]["message"]
    said = {row: (one["experiment"], one["variant"], one["unit"]) for row, one in found.items()}
    assert said["terse"] == ("tone", "terse", "key/1")
    assert (said["out"], found["out"]["agent"]) == (("house", "out", "key/2"), "poet")
    assert said["plain"] == ("", "", "")


async def test_provenance_tells_the_variant_beside_the_row_as_it_was_planned(prism: Installation) -> None:
    run = await prism.start("id,objective,model,experiment\na,Say,house,tone:1\nb,Say,house,\n")
    await run.result()
    told, plain = [(await statement(prism, run, row))["predicate"]["buildDefinition"] for row in ("a", "b")]
    trial = told["internalParameters"]["experiment"]
    variant = TONE.variants[1]
    assert trial == {
        "experiment": "tone",
        "variant": "terse",
        "unit": "key/1",
        "definition": digest_of(variant.model_dump_json().encode()),
    }
    plan = told["externalParameters"]["plan"]
    planned = (await prism.stores.plans.row(plan, 0)).row
    assert told["externalParameters"]["rowDigest"] == digest_of(planned.model_dump_json().encode())
    assert "experiment" not in plain["internalParameters"]


async def test_a_row_that_runs_again_after_the_end_runs_as_what_was_adopted(prism: Installation) -> None:
    """It does not take the answer that was paid for as another variant: its calls have other keys."""
    register = SqlExperiments(prism.stores.engine)
    await register.create(TONE.model_copy(update={"name": "again"}))
    prism.model.requests.clear()
    prism.model.answer = lambda request: "```python\nraise SystemExit(1)\n```"
    head = "id,objective,language,experiment,review\n"
    run = await prism.start(head + "b,Say,python,again,\nopen,Say,,,required\n")
    await run.row_reaches("open", lambda progress: progress.state is RowState.REVIEW)
    async with asyncio.timeout(DEADLINE):
        while (await run.progress()).counts.get(RowState.FAILED) != 1:
            await asyncio.sleep(0.02)
    before = prism.query("SELECT variant FROM rows WHERE run = :run AND row = 'b'", run=run.run)[0]["variant"]
    after = {"current": "terse", "terse": "current"}[before]
    await register.end("again", adopt=after)
    prism.model.answer = lambda request: "```python\nprint(1)\n```"
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("b",)))
    await run.row_reaches("b", lambda progress: progress.state is RowState.SUCCEEDED)
    await run.row("open").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).state is RunState.COMPLETED
    assert prism.query("SELECT variant FROM rows WHERE run = :run AND row = 'b'", run=run.run)[0]["variant"] == after
    first, second = [one.step.key for one in prism.model.requests if one.step.row == "b"]
    assert first != second
