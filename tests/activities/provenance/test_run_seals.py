"""The seals of runs, on SQLite and on a real PostgreSQL."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from activities.artifacts.contracts import Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.provenance import register
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.register import SqlRunSeals
from activities.provenance.run_contracts import RunSeal
from activities.records.contracts import RowChange, RowChanges, RowState, RunOpening
from activities.records.keeper import SqlRecordKeeper
from activities.records.queries import RecordQueries
from tests.activities.provenance.proofs import SealedRun

AT = "2026-11-23T05:00:00.000000Z"
SEAL = RunSeal(
    run="r",
    sequence=2,
    number=1,
    envelope=digest_of(b"envelope"),
    keyid="k",
    root="0" * 64,
    rows=5,
    sealed=0,
    leaves=digest_of(b"leaves"),
    at=AT,
)


async def test_rows_are_read_in_plan_order_a_batch_at_a_time(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "BATCH", 2)
    keeper = SqlRecordKeeper(engine, Texts(FolderArtifactStore(tmp_path)))
    await keeper.open_run(RunOpening(run="r", plan=digest_of(b"plan"), title="", started_at=AT))
    await keeper.open_rows("r", [{"row": f"row-{place}", "position": place} for place in (4, 0, 3, 1, 2)])
    skipped = RowChange(row="row-3", state=RowState.SKIPPED, code="C")
    await keeper.change_rows(RowChanges(run="r", at=AT, changes=(skipped,)))
    batches = [batch async for batch in SqlRunSeals(engine).leaves("r")]
    assert [[leaf.index for leaf in batch] for batch in batches] == [[0, 1], [2, 3], [4]]
    told = batches[1][1]
    assert (told.row, told.state, told.code, told.finished_at) == ("row-3", RowState.SKIPPED, "C", AT)
    assert batches[0][0].finished_at == ""


async def test_of_two_seals_of_one_end_the_first_counts_and_is_told_once(engine: Engine) -> None:
    seals = SqlRunSeals(engine)
    assert await seals.keep(SEAL) == SEAL
    assert await seals.keep(SEAL.model_copy(update={"envelope": digest_of(b"another")})) == SEAL
    later = SEAL.model_copy(update={"sequence": 5, "number": 2})
    await seals.keep(later)
    assert await seals.of("r") == [SEAL, later]
    told = [event for event in await RecordQueries(engine).events(0, run="r") if event.kind == "sealed"]
    assert [event.body for event in told] == [{"number": 1}, {"number": 2}]


async def test_sealing_again_after_a_crash_returns_the_seal_that_was_made(tmp_path: Path) -> None:
    """Even when the key was replaced in between: an end has one seal."""
    run = SealedRun(tmp_path)
    await run.whole(KeyFileSigner(Ed25519PrivateKey.generate()))
    (made,) = await run.seals.of(run.run)
    assert await run.seal(KeyFileSigner(Ed25519PrivateKey.generate())) == made
    assert await run.seals.of(run.run) == [made]
