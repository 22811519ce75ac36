"""What decides: every question that policies answer, whichever engine evaluates them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from activities.artifacts.contracts import Digest
from activities.policy.contracts import (
    ADMISSION,
    CATALOG_ADMISSION,
    CatalogDecision,
    Decision,
    admission_input,
    catalog_decision_of,
    catalog_input,
    decision_of,
)
from activities.policy.delivery_contracts import DELIVERY, DeliveryDecision, delivery_decision_of
from activities.policy.planning_contracts import PLANNING, PlanningDecision, planning_decision_of, planning_input
from activities.policy.release_contracts import (
    RELEASE,
    ReleaseDecision,
    ReleaseRequest,
    release_decision_of,
    release_input,
)
from activities.policy.sandbox_contracts import (
    PERMISSION,
    Permission,
    permission_input,
    permission_of,
)
from activities.policy.tool_contracts import TOOL, tool_input, tool_permission_of
from activities.sandbox.contracts import SandboxRequest
from activities.tools.contracts import ToolPermission, ToolUse
from catalogs.plan import Proposal
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals

Meant = TypeVar("Meant")
# From a rule's value, the digest of the policy and the id of the decision to the decision.
Meaning = Callable[[Any, str, str], Meant]
# The rules that an engine is asked for.
ENTRIES = (ADMISSION, CATALOG_ADMISSION, RELEASE, PERMISSION, DELIVERY, TOOL, PLANNING)


class PolicyEngine(ABC):
    """Evaluates the policies. Not proven means denied.

    Every question may name the digest of the policy that a run keeps to (``pinned``); without, the newest answers.
    """

    @abstractmethod
    async def decided(
        self, entry: str, document: dict[str, Any], meaning: Meaning[Meant], pinned: Digest | None = None
    ) -> Meant:
        """Return what a rule says of a document; fails closed.

        Args:
            entry: The rule, such as ``admission.decision``.
            document: The input.
            meaning: What becomes of its value.
            pinned: Digest of the policy that has to answer; ``None`` for the newest.

        Raises:
            PolicyUnavailable: The engine failed or answered nonsense.
            PolicyChanged: The pinned policy cannot answer any more.
        """

    async def admit(
        self, row: CatalogRow, submitter: str, pinned: Digest | None = None, *, served_locally: bool = False
    ) -> Decision:
        """Decide on one row; ``served_locally`` says whether a local model may answer for what it names."""
        asked = admission_input(row, submitter, served_locally=served_locally)
        return await self.decided(ADMISSION, asked, decision_of, pinned)

    async def admit_catalog(
        self, totals: CatalogTotals, submitter: str, pinned: Digest | None = None
    ) -> CatalogDecision:
        """Decide on a catalog as a whole."""
        return await self.decided(CATALOG_ADMISSION, catalog_input(totals, submitter), catalog_decision_of, pinned)

    async def add_rows(
        self, planner: CatalogRow, proposal: Proposal, submitter: str, depth: int, pinned: Digest | None = None
    ) -> PlanningDecision:
        """Decide on rows that a row proposes for its run."""
        asked = planning_input(planner, proposal, submitter, depth)
        return await self.decided(PLANNING, asked, planning_decision_of, pinned)

    async def release(self, request: ReleaseRequest, text: str) -> ReleaseDecision:
        """Decide on an output.

        Args:
            request: What is known of it.
            text: The output itself.
        """
        return await self.decided(RELEASE, release_input(request, text), release_decision_of, request.policy)

    async def permit(self, request: SandboxRequest) -> Permission:
        """Decide on a program: may it run, and what may it use."""
        return await self.decided(PERMISSION, permission_input(request), permission_of, request.policy)

    async def use_tool(self, use: ToolUse) -> ToolPermission:
        """Decide on a model's call of a tool."""
        return await self.decided(TOOL, tool_input(use), tool_permission_of, use.request.policy)

    async def deliver(self, document: dict[str, Any]) -> DeliveryDecision:
        """Decide on a message that is to leave the house."""
        return await self.decided(DELIVERY, document, delivery_decision_of)

    @abstractmethod
    async def in_force(self) -> Digest:
        """Return the digest of the policies in force.

        Raises:
            PolicyUnavailable: A server does not tell.
        """

    @abstractmethod
    async def keep(self) -> Digest:
        """Keep the policies in force, so that runs pinned to them find them later; return their digest."""
