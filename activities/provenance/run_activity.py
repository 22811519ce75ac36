"""The activity that seals a run at its end."""

import asyncio
import json
from collections.abc import Callable, Sequence

from temporalio import activity

from activities.artifacts.contracts import ArtifactStore, Digest
from activities.heartbeat import beating
from activities.plans.contracts import PlanReader
from activities.provenance.contracts import Countersigner, Signer
from activities.provenance.envelope import parse_envelope
from activities.provenance.leaf import Leaf
from activities.provenance.rows import Rows, RowSum
from activities.provenance.run_contracts import RunSeal, RunSealRequest, RunSeals
from activities.provenance.run_statement import build_run_statement, with_countersignature
from activities.provenance.statement import statement_bytes
from activities.provenance.uris import PAYLOAD_TYPE
from temporal.names import ActivityName


class RunSealActivities:
    """Seals runs. Repeating a request returns the seal that was made first.

    Args:
        signer: Signs statements.
        store: Keeps envelopes and the rows as they were sealed.
        seals: Keeps seals; knows how rows ended.
        plans: Knows which catalog a plan is of.
        platform: Returns the bill of materials of this platform; takes a moment at the first call.
        countersigner: Signs besides, in the name of an identity; without it nobody does.
    """

    def __init__(
        self,
        signer: Signer,
        store: ArtifactStore,
        seals: RunSeals,
        plans: PlanReader,
        platform: Callable[[], bytes],
        countersigner: Countersigner | None = None,
    ) -> None:
        self._signer = signer
        self._store = store
        self._seals = seals
        self._plans = plans
        self._platform = platform
        self._countersigner = countersigner

    @activity.defn(name=ActivityName.SEAL_RUN)
    async def seal_run(self, request: RunSealRequest) -> RunSeal:
        """Sign the Merkle root over the rows of a run as they are recorded, and keep the envelope."""
        made = await self._seals.of(request.run)
        if again := [seal for seal in made if seal.sequence == request.sequence]:
            return again[0]
        previous = next((seal for seal in reversed(made) if seal.sequence < request.sequence), None)
        rows, leaves = await self._rows(request.run)
        plan = await self._plans.plan(request.plan)
        sbom = await self._store.put(await asyncio.to_thread(self._platform))
        statement = build_run_statement(request, rows, catalog=plan.source, sbom=sbom, previous=previous)
        if self._countersigner is not None:
            countersigned = await beating(self._countersigner.countersign(statement_bytes(statement)))
            statement = with_countersignature(statement, await self._store.put(countersigned))
        envelope = await self._signer.sign(statement_bytes(statement), PAYLOAD_TYPE)
        return await self._seals.keep(
            RunSeal(
                run=request.run,
                sequence=request.sequence,
                number=statement["predicate"]["number"],
                envelope=await self._store.put(envelope),
                keyid=parse_envelope(envelope).keyid,
                root=rows.root,
                rows=rows.size,
                sealed=rows.sealed,
                leaves=leaves,
                at=request.finished_at,
            )
        )

    async def _rows(self, run: str) -> tuple[Rows, Digest]:
        """Return the sum of a run's rows, and where they are kept as they were."""
        total = RowSum()
        pages: list[Digest] = []
        async for batch in self._seals.leaves(run):
            pages.append(await self._store.put(await asyncio.to_thread(_lines, total, batch)))
            activity.heartbeat(len(pages))
        return total.rows, await self._store.put(json.dumps(pages).encode())


def _lines(total: RowSum, batch: Sequence[Leaf]) -> bytes:
    return b"".join(map(total.take, batch))
