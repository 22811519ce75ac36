"""What a row proposes that plans further ones, and how the plan of its run grows by it."""

from collections.abc import Awaitable, Callable

from pydantic import NonNegativeInt

from activities.artifacts.contracts import Digest, Text
from activities.policy.planning_contracts import PlanningDecision
from activities.verification.contracts import Basis, Verdict
from catalogs.options import ReadOptions
from catalogs.row import CatalogRow
from temporal.contract import Contract, StepRef

# What the verdict on proposed rows is called.
PROPOSAL = "proposal"
# Agents, tools and collections as they are now.
Installed = Callable[[], Awaitable[ReadOptions]]


class ProposalRequest(Contract):
    """Rows that a row proposes.

    Args:
        plan: Digest of the plan that they are to join.
        index: The proposing row's place in it.
        row: That row.
        output: What it says: JSON that fits the schema of proposals.
        submitter: Who submitted the run.
        policy: Digest of the policy that the run keeps to; ``None`` follows the newest.
    """

    step: StepRef
    plan: Digest
    index: NonNegativeInt
    row: CatalogRow
    output: Text
    submitter: str = ""
    policy: Digest | None = None


class ProposedRow(Contract):
    """A proposed row, in short."""

    id: str
    title: str = ""
    depends_on: tuple[str, ...] = ()


class Proposed(Contract):
    """What proposed rows amount to.

    Args:
        output: Digest of the text that proposes them.
        proposal: Digest of the ``Proposal``; ``None`` where it cannot be added.
        rows: What it holds, in an order in which they can run.
        faults: What is wrong with it, as a catalog.
        decision: What the policy says of it; ``None`` of one that is faulty.
    """

    output: Digest
    proposal: Digest | None = None
    rows: tuple[ProposedRow, ...] = ()
    faults: tuple[str, ...] = ()
    decision: PlanningDecision | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict on them as rows of a catalog."""
        sound = not self.faults
        reason = f"{len(self.rows)} rows can be added" if sound else "; ".join(self.faults)
        return Verdict(criterion=PROPOSAL, basis=Basis.PROVEN, passed=sound, reason=reason)

    @property
    def denied(self) -> tuple[str, ...]:
        """Why the policy does not let them be added."""
        if self.decision is None or self.decision.allow:
            return ()
        return self.decision.deny or ("the policy gave no reason",)

    @property
    def review(self) -> tuple[str, ...]:
        """Why a person must look at them first."""
        return self.decision.review if self.decision else ()

    @property
    def objections(self) -> tuple[str, ...]:
        """Why nobody may have them added."""
        return self.faults or tuple(f"the policy does not let rows be added: {reason}" for reason in self.denied)


class GrowRequest(Contract):
    """Which approved rows are to join a plan.

    Args:
        plan: Digest of the plan as it is.
        index: Place of the row that planned them.
        row: Its id.
        output: Digest of the output in which it did.
        proposal: Digest of the ``Proposal``.
    """

    plan: Digest
    index: NonNegativeInt
    row: str
    output: Digest
    proposal: Digest


class Wanted(Contract):
    """A row that was there and that added rows depend on.

    Args:
        index: Its place.
        row: Its id.
        by: How many of them do.
    """

    index: NonNegativeInt
    row: str
    by: NonNegativeInt


class Grown(Contract):
    """A plan after rows were added.

    Args:
        plan: Its digest.
        total: How many rows it has.
        first: Place of the first of those that were added.
        rows: Ids of those that were added; none where they had been before.
        wanted: Rows that were there and that they depend on.
        refused: Why they were not added; empty where they were.
    """

    plan: Digest
    total: NonNegativeInt
    first: NonNegativeInt = 0
    rows: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    refused: str = ""
