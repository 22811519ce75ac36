"""A run's end is signed: one Merkle root over how its rows ended, each time it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.artifacts.contracts import ArtifactStore
from activities.provenance.keys import KeySet
from activities.provenance.leaf import Leaf
from activities.provenance.merkle import MerkleTree
from activities.provenance.register import SqlRunSeals
from activities.provenance.run_contracts import RunSeal
from activities.provenance.uris import RUN_SEAL
from activities.provenance.verify import verify_envelope
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from tests.installation import Installation, Run
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RUN_REVISION, Carried, CatalogRun, RowSelection
from workflows.row import RowWorkflow


async def seals(prism: Installation, run: Run) -> list[RunSeal]:
    return await SqlRunSeals(prism.stores.engine).of(run.run)


async def statement(prism: Installation, seal: RunSeal) -> dict[str, Any]:
    key = KeySet([prism.settings.public_key.read_bytes()])
    envelope = await prism.stores.artifacts.get(seal.envelope)
    return verify_envelope(envelope, key, predicate=RUN_SEAL).statement


async def sealed_rows(store: ArtifactStore, seal: RunSeal) -> AsyncIterator[Leaf]:
    for page in json.loads(await store.get(seal.leaves)):
        for line in (await store.get(page)).splitlines():
            yield Leaf.parse(line)


async def test_the_end_of_a_run_is_sealed_with_every_row_in_plan_order(prism: Installation) -> None:
    run = await prism.start(
        "id,objective,depends_on,verification,retries\na,One,,,\nb,Two,,contains:zebra,0\nc,3,b,,\n"
    )
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    (seal,) = await seals(prism, run)
    rows = [row async for row in sealed_rows(prism.stores.artifacts, seal)]
    assert [(row.index, row.row, row.state) for row in rows] == [
        (0, "a", RowState.SUCCEEDED),
        (1, "b", RowState.VERIFICATION_FAILED),
        (2, "c", RowState.BLOCKED),
    ]
    recorded = prism.query("SELECT envelope FROM rows WHERE run = :run ORDER BY position", run=run.run)
    assert [row.envelope for row in rows] == [row["envelope"] for row in recorded]
    assert [row.envelope is None for row in rows] == [False, False, True]
    tree = MerkleTree()
    for row in rows:
        tree.add(row.data)
    told = (await statement(prism, seal))["predicate"]
    assert told["rows"] == {"algorithm": "rfc6962-sha256", "root": tree.root, "size": 3, "sealed": 2}
    assert told["state"] == "completed_with_failures"
    assert told["counts"] == {"blocked": 1, "succeeded": 1, "verification_failed": 1}
    assert (told["number"], told["previous"]) == (1, None)


async def test_the_seal_names_the_catalog_and_what_the_platform_is_made_of(prism: Installation) -> None:
    run = await prism.start("id,objective\na,One\n")
    await run.result()
    (seal,) = await seals(prism, run)
    told = (await statement(prism, seal))["predicate"]
    plan = await prism.stores.plans.plan(told["plan"])
    assert told["catalog"] == plan.source
    sbom = json.loads(await prism.stores.artifacts.get("sha256:" + told["builder"]["sbom"]["digest"]["sha256"]))
    assert sbom["bomFormat"] == "CycloneDX"
    assert {"temporalio", "cryptography", "python"} <= {component["name"] for component in sbom["components"]}


async def test_a_retry_after_the_end_is_sealed_anew_and_names_the_seal_before(prism: Installation) -> None:
    run = await prism.start("id,objective,verification,retries\na,One,,\nb,Two,contains:zebra,0\n")
    await run.result()
    (first,) = await seals(prism, run)
    prism.model.answer = lambda request: "A zebra."
    request = prism.query("SELECT plan, sequence FROM runs WHERE run = :run", run=run.run)[0]
    again = CatalogRun(
        run=run.run,
        plan=request["plan"],
        total=2,
        page_rows=250,
        revision=RUN_REVISION,
        retry=True,
        carried=Carried(states="sn", next_page=1, generations={1: 1}, sequence=request["sequence"]),
    )
    assert (await (await prism.start_run(again)).result()).state is RunState.COMPLETED
    kept, second = await seals(prism, run)
    assert kept == first
    told = (await statement(prism, second))["predicate"]
    assert told["number"] == 2
    assert told["previous"] == {"envelope": first.envelope, "root": first.root}
    assert second.root != first.root
    before = [row.state async for row in sealed_rows(prism.stores.artifacts, first)]
    assert before == [RowState.SUCCEEDED, RowState.VERIFICATION_FAILED]


async def test_a_cancelled_run_is_sealed_too(prism: Installation) -> None:
    run = await prism.start("id,objective,review,depends_on\na,One,required,\nb,Two,,a\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.handle.cancel()
    async with asyncio.timeout(60):
        while not (sealed := await seals(prism, run)):
            await asyncio.sleep(0.02)
    told = (await statement(prism, sealed[0]))["predicate"]
    assert (told["state"], told["rows"]["size"]) == ("cancelled", 2)


async def test_what_is_asked_while_the_end_is_sealed_is_still_heard(
    prism: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, released, of = asyncio.Event(), asyncio.Event(), SqlRunSeals.of

    async def held(register: SqlRunSeals, run: str) -> list[RunSeal]:
        reached.set()
        await released.wait()
        return await of(register, run)

    monkeypatch.setattr(SqlRunSeals, "of", held)
    run = await prism.start("id,objective,review\na,One,required\n")
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.row("a").signal(RowWorkflow.reject, ReviewDecision(by="ana", comment="no"))
    await asyncio.wait_for(reached.wait(), 30)
    await run.handle.signal(CatalogWorkflow.retry, RowSelection())
    released.set()
    await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
    await run.row("a").signal(RowWorkflow.approve, ReviewDecision(by="ana"))
    assert (await run.result()).state is RunState.COMPLETED
    assert [seal.number for seal in await seals(prism, run)] == [1, 2]
