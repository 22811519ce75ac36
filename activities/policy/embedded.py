"""Admission by the embedded policy engine."""

from pathlib import Path

from activities.policy.bundle import RegoBundle
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
from activities.policy.folder import admission_only
from activities.policy.release_contracts import (
    RELEASE,
    ReleaseDecision,
    ReleaseRequest,
    release_decision_of,
    release_input,
)
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals


class EmbeddedPolicy:
    """Evaluates the admission policies of a folder.

    Args:
        folder: Holds ``**/*.rego`` and, for package path ``a.b``, the data document ``a/b/data.json``.

    Raises:
        PolicyUnavailable: The policies do not compile.
    """

    def __init__(self, folder: Path) -> None:
        self._bundle = RegoBundle(folder, (ADMISSION, CATALOG_ADMISSION, RELEASE), admission_only)
        self.digest = self._bundle.digest

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row; fails closed."""
        return decision_of(self._bundle.evaluate(ADMISSION, admission_input(row, submitter)), self.digest)

    async def admit_catalog(self, totals: CatalogTotals, submitter: str) -> CatalogDecision:
        """Decide on a catalog as a whole; fails closed."""
        answer = self._bundle.evaluate(CATALOG_ADMISSION, catalog_input(totals, submitter))
        return catalog_decision_of(answer, self.digest)

    async def release(self, request: ReleaseRequest, text: str) -> ReleaseDecision:
        """Decide on an output; fails closed."""
        return release_decision_of(self._bundle.evaluate(RELEASE, release_input(request, text)), self.digest)
