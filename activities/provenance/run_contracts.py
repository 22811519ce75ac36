"""The signed end of a run: a Merkle root over the recorded ends of its rows."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from pydantic import Field, NonNegativeInt, PositiveInt

from activities.artifacts.contracts import ArtifactStore, Digest
from activities.provenance.leaf import Leaf
from temporal.contract import Contract


class RunSealRequest(Contract):
    """What is to be signed of a run that has ended.

    Args:
        sequence: Number of the change by which it ended; each end of a run that is retried has a higher one.
        counts: Rows by state.
        finished_at: When it ended.
    """

    run: str
    plan: Digest
    title: str = ""
    state: str
    sequence: NonNegativeInt
    counts: dict[str, NonNegativeInt] = Field(default_factory=dict)
    finished_at: str


class RunSeal(Contract):
    """The signed end of a run.

    Args:
        number: Which of the run's seals, from 1: a retry after the end makes another.
        envelope: Digest of the DSSE envelope (JSON).
        keyid: Key that signed it.
        root: Root of the Merkle tree over the rows, in hex.
        rows: How many rows it covers.
        sealed: How many of them have an envelope.
        leaves: Digest of the list (JSON) of the artifacts that hold the rows as they were sealed.
    """

    run: str
    sequence: NonNegativeInt
    number: PositiveInt
    envelope: Digest
    keyid: str
    root: str
    rows: NonNegativeInt
    sealed: NonNegativeInt
    leaves: Digest
    at: str


class RunSeals(Protocol):
    """Keeps the seals of runs, and reads what they are made of."""

    def leaves(self, run: str) -> AsyncIterator[Sequence[Leaf]]:
        """Yield the rows of a run as recorded, in plan order, a batch at a time."""
        ...

    async def of(self, run: str) -> list[RunSeal]:
        """Return the seals of a run, oldest first."""
        ...

    async def keep(self, seal: RunSeal) -> RunSeal:
        """Keep a seal unless there is one of this end already; returns the one that is kept."""
        ...


async def sealed_leaves(store: ArtifactStore, leaves: Digest) -> AsyncIterator[bytes]:
    """Yield the lines of the rows as they were sealed, many at a time."""
    for page in json.loads(await store.get(leaves)):
        yield await store.get(page)
