"""Admission by the embedded policy engine."""

from pathlib import Path

from activities.policy.bundle import RegoBundle
from activities.policy.contracts import ADMISSION, Decision, admission_input, decision_of
from activities.policy.folder import admission_only
from catalogs.row import CatalogRow


class EmbeddedPolicy:
    """Evaluates the admission policy of a folder.

    Args:
        folder: Holds ``**/*.rego`` and, for package path ``a.b``, the data document ``a/b/data.json``.

    Raises:
        PolicyUnavailable: The policies do not compile.
    """

    def __init__(self, folder: Path) -> None:
        self._bundle = RegoBundle(folder, ADMISSION, admission_only)
        self.digest = self._bundle.digest

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row; fails closed."""
        return decision_of(self._bundle.evaluate(admission_input(row, submitter)), self.digest)
