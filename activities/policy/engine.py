"""What decides: the Protocol that both backends of policy satisfy."""

from typing import Protocol

from activities.policy.contracts import CatalogDecision, Decision
from activities.policy.release_contracts import ReleaseDecision, ReleaseRequest
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals


class PolicyEngine(Protocol):
    """Evaluates the policies. Not proven means denied."""

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row.

        Raises:
            PolicyUnavailable: The engine failed or answered nonsense.
        """
        ...

    async def admit_catalog(self, totals: CatalogTotals, submitter: str) -> CatalogDecision:
        """Decide on a catalog as a whole.

        Raises:
            PolicyUnavailable: The engine failed or answered nonsense.
        """
        ...

    async def release(self, request: ReleaseRequest, text: str) -> ReleaseDecision:
        """Decide on an output.

        Args:
            request: What is known of it.
            text: The output itself.

        Raises:
            PolicyUnavailable: The engine failed or answered nonsense.
        """
        ...
