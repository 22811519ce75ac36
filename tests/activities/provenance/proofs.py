"""Proofs of runs for tests: real seals over real records, without a workflow."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import Text, digest_of
from activities.provenance.activity import ProvenanceActivities
from activities.provenance.bill_of_materials import bill_of_materials
from activities.provenance.bundle import bundle
from activities.provenance.contracts import Countersigner, SealRequest, Signer
from activities.provenance.keys import KeySet
from activities.provenance.register import SqlRunSeals
from activities.provenance.run_activity import RunSealActivities
from activities.provenance.run_contracts import RunSeal, RunSealRequest
from activities.records.contracts import RowChange, RowChanges, RowRecord, RowState, RunChange, RunOpening, RunState
from catalogs.plan import Plan
from temporal.contract import StepRef
from workers.compose import Stores, open_stores
from workers.settings import Settings

AT = "2026-11-23T05:00:00.000000Z"


class SealedRun:
    """A run of rows ``row-1`` and so on, the last of them blocked."""

    def __init__(
        self, home: Path, rows: int = 5, run: str = "run1", countersigner: Countersigner | None = None
    ) -> None:
        self.countersigner = countersigner
        self.settings = Settings(home=home)
        self.stores: Stores = open_stores(self.settings)
        self.seals = SqlRunSeals(self.stores.engine)
        self.run = run
        self.rows = [f"row-{number}" for number in range(1, rows + 1)]
        self.plan = digest_of(b"no plan")

    async def open(self) -> None:
        plan = Plan(title="t", source=digest_of(b"catalog"), total=len(self.rows), pages=())
        self.plan = await self.stores.artifacts.put(plan.model_dump_json().encode())
        await self.stores.keeper.open_run(RunOpening(run=self.run, plan=self.plan, title="t", started_at=AT))
        pending = [{"row": row, "position": place} for place, row in enumerate(self.rows)]
        await self.stores.keeper.open_rows(self.run, pending)

    async def end(self, row: str, output: str, signer: Signer, attempt: int = 1) -> None:
        """Seal a row and record its end."""
        digest = await self.stores.artifacts.put(output.encode())
        request = SealRequest(
            step=StepRef(run=self.run, row=row, step="provenance", attempt=attempt),
            output=digest,
            row_digest=digest_of(row.encode()),
            plan=self.plan,
            decision_digest=digest_of(b"decision"),
            policy=digest_of(b"policy"),
        )
        seal = await ActivityEnvironment().run(ProvenanceActivities(signer, self.stores.artifacts).seal, request)
        record = RowRecord(
            step=StepRef(run=self.run, row=row, step="record", attempt=attempt),
            state=RowState.SUCCEEDED,
            started_at=AT,
            finished_at=AT,
            output=Text(digest=digest, size=len(output), inline=output),
            envelope=seal.envelope,
        )
        await self.stores.keeper.record_row(record)

    async def block(self, row: str) -> None:
        """Record a row that never started."""
        change = RowChange(row=row, state=RowState.BLOCKED, code="UPSTREAM_FAILED")
        await self.stores.keeper.change_rows(RowChanges(run=self.run, at=AT, changes=(change,)))

    async def seal(self, signer: Signer, sequence: int = 1) -> RunSeal:
        """End the run and seal it."""
        ended = RunChange(run=self.run, state=RunState.COMPLETED_WITH_FAILURES, sequence=sequence, at=AT)
        await self.stores.keeper.change_run(ended)
        stores = self.stores
        activities = RunSealActivities(
            signer, stores.artifacts, self.seals, stores.plans, bill_of_materials, self.countersigner
        )
        request = RunSealRequest(
            run=self.run, plan=self.plan, title="t", state=ended.state, sequence=sequence, finished_at=AT
        )
        return await ActivityEnvironment().run(activities.seal_run, request)

    async def whole(self, signer: Signer) -> None:
        """Open the run, end its rows and seal it."""
        await self.open()
        for row in self.rows[:-1]:
            await self.end(row, f"Output of {row}", signer)
        await self.block(self.rows[-1])
        await self.seal(signer)

    async def proof(self, *public_keys: bytes, row: str | None = None) -> bytes:
        """Return the bundle."""
        parts = bundle(await self.seals.of(self.run), self.stores.artifacts, KeySet(public_keys), row)
        return b"".join([part async for part in parts])


def unpacked(proof: bytes) -> dict[str, bytes]:
    """Return the files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(proof)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(files: Mapping[str, bytes], path: Path) -> Path:
    """Write files as a bundle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path
