"""Admission by the embedded policy engine."""

from pathlib import Path
from typing import Final

from activities.policy.bundle import AUTHORISATION, RegoBundle
from activities.policy.contracts import Decision, PolicyUnavailable
from catalogs.row import CatalogRow

_ADMISSION: Final = "admission.decision"


class EmbeddedPolicy:
    """Evaluates the admission policy of a folder.

    Args:
        folder: Holds ``**/*.rego`` and, for package path ``a.b``, the data document ``a/b/data.json``.

    Raises:
        PolicyUnavailable: The policies do not compile.
    """

    def __init__(self, folder: Path) -> None:
        self._bundle = RegoBundle(folder, _ADMISSION, lambda package: package != AUTHORISATION)
        self.digest = self._bundle.digest

    async def admit(self, row: CatalogRow, submitter: str) -> Decision:
        """Decide on one row; fails closed."""
        value = self._bundle.evaluate({"row": row.model_dump(mode="json"), "submitter": submitter})
        try:
            deny, review = tuple(sorted(value["deny"])), tuple(sorted(value["review"]))
            allow = value["allow"] is True and not deny
        except (KeyError, TypeError) as error:
            raise PolicyUnavailable(f"the admission policy gave no decision: {error}") from error
        return Decision(
            allow=allow,
            deny=deny,
            review=review,
            policy=self.digest,
            four_eyes=value.get("four_eyes") is not False,
            silence_approves=value.get("silence_approves") is True,
        )
