"""Rows whose model is chosen: which group is asked, what follows a draft that fails, and what may not leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.provenance.verify import verify_envelope
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from tests.installation import DEADLINE, Installation, Run
from workers.settings import Settings
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RowProgress, RowSelection
from workflows.row import RowWorkflow

MODELS = """
deployments:
  house: {model: openai/llama, url: "http://127.0.0.1:9/v1", local: true}
  cheap: {model: openai/gpt-4o-mini, key_secret: "secret://openai"}
  best: {model: openai/gpt-4.1, key_secret: "secret://openai"}
groups:
  house: {deployments: [house]}
  cheap: {deployments: [cheap]}
  best: {deployments: [best], fallback: [house]}
routing: {tiers: [house, cheap, best], local_share: 100%}
default: cheap
"""


@pytest.fixture(scope="module")
async def routing(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    home: Path = tmp_path_factory.mktemp("routed")
    (home / "models.yaml").write_text(MODELS)
    settings = Settings(home=home, models=home / "models.yaml")
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


@pytest.fixture
def prism(routing: Installation) -> Installation:
    routing.model.answer = lambda request: "An answer."
    routing.model.requests.clear()
    return routing


def asked(prism: Installation) -> dict[str, list[tuple[str, bool]]]:
    """Return by row which groups were asked, and whether only local models might answer."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for request in prism.model.requests:
        found.setdefault(request.step.row, []).append((request.group, request.local_only))
    return found


def routes(prism: Installation, run: Run, row: str) -> list[str]:
    found = prism.query(
        "SELECT summary FROM steps WHERE run = :run AND row = :row AND step = 'route' ORDER BY ordinal",
        run=run.run,
        row=row,
    )
    return [one["summary"] for one in found]


async def test_what_a_row_says_decides_who_writes_it(prism: Installation) -> None:
    prism.model.answer = lambda request: "Nothing." if request.step.ordinal == 0 else "A zebra."
    run = await prism.start(
        "id,objective,model,risk,data_class,verification\n"
        "plain,Say,,,,\nauto,Say,auto,,,\nnamed,Say,cheap,high,,\nrisky,Say,,critical,,\n"
        "kept,Say,,,confidential,contains:zebra\nanew,Say,,,,contains:zebra\nleaks,Say,cheap,,restricted,\n"
    )
    await run.row_reaches("risky", lambda progress: progress.state is RowState.REVIEW)
    await run.row_reaches("named", lambda progress: progress.state is RowState.REVIEW)
    for row in ("named", "risky"):
        await run.row(row).signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    await run.result()
    assert asked(prism) == {
        "plain": [("house", False)],
        "auto": [("house", False)],
        "named": [("cheap", False)],
        "risky": [("best", False)],
        # A draft that failed goes to the next tier, of data of the house to the next with a local model.
        "kept": [("house", True), ("best", True)],
        "anew": [("house", False), ("cheap", False)],
    }
    assert prism.states(run)["leaks"] == RowState.DENIED
    (denied,) = prism.query("SELECT message FROM rows WHERE run = :run AND row = 'leaks'", run=run.run)
    assert (
        denied["message"] == 'no local model may answer for model "cheap"; rows of data_class restricted go to no other'
    )
    assert routes(prism, run, "risky") == ["best: risk is critical"]
    chosen, escalated = routes(prism, run, "anew")
    assert chosen.startswith("house: suits a local model by ")
    assert escalated.startswith("cheap writes what house did not get right: contains:zebra")
    kept = prism.query("SELECT envelope, output, cost_usd FROM rows WHERE run = :run AND row = 'anew'", run=run.run)[0]
    assert kept["cost_usd"] == 0.5, "both drafts are paid"
    envelope = await prism.stores.artifacts.get(kept["envelope"])
    told = verify_envelope(envelope, prism.settings.public_key.read_bytes(), output=kept["output"]).statement
    route = told["predicate"]["buildDefinition"]["internalParameters"]["route"]
    assert (route["groups"], route["wrote"]) == (["house", "cheap", "best"], "cheap")


async def test_what_a_person_wants_changed_is_written_by_who_wrote_it_and_what_was_refused_by_the_best(
    prism: Installation,
) -> None:
    run = await prism.start("id,objective,verification,review\na,Say,contains:zebra,\nb,Say,contains:zebra,required\n")
    await run.row_reaches("b", _waits)
    prism.model.answer = lambda request: "A zebra."
    changes = ReviewDecision(by="ana", comment="a zebra")
    await run.row("b").signal(RowWorkflow.request_changes, changes)
    await run.row_reaches("b", lambda progress: _waits(progress) and progress.review[0].startswith("ana asked"))
    async with asyncio.timeout(DEADLINE):
        while (await run.progress()).counts.get(RowState.VERIFICATION_FAILED) != 1:
            await asyncio.sleep(0.02)
    await run.handle.signal(CatalogWorkflow.retry, RowSelection(rows=("a",)))
    await run.row_reaches("a", lambda progress: progress.state is RowState.SUCCEEDED)
    await run.row("b").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).state is RunState.COMPLETED
    drafts = [("house", False), ("cheap", False)]
    assert asked(prism) == {"a": [*drafts, ("best", False)], "b": [*drafts, ("cheap", False)]}
    assert routes(prism, run, "a")[-1] == "best: its answers were refused before"


def _waits(progress: RowProgress) -> bool:
    return progress.state is RowState.REVIEW
