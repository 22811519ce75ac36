"""Authorisation by the embedded policy engine: may this principal do that, here."""

import json
from pathlib import Path
from typing import Final

from activities.identity.contracts import Principal
from activities.policy.contracts import AccessDecision, PolicyUnavailable
from activities.policy.folder import AUTHORISATION
from activities.policy.live import LivePolicies

_AUTHORISATION: Final = "authz.decision"


class EmbeddedAccessPolicy:
    """Evaluates the authorisation policy of a folder.

    Args:
        folder: Holds ``authz/*.rego`` and ``authz/data.json``.

    Raises:
        PolicyUnavailable: The policy does not compile.
    """

    def __init__(self, folder: Path) -> None:
        self.live = LivePolicies(folder, (_AUTHORISATION,), lambda package: package == AUTHORISATION)

    @property
    def actions(self) -> frozenset[str]:
        """Every action that the policy knows."""
        data = json.loads(self.live.current().policies.documents[Path(AUTHORISATION, "data.json")])
        return frozenset(data["everyone"]).union(*data["roles"].values())

    def decide(self, principal: Principal, action: str, *, board: str = "", resource: str = "") -> AccessDecision:
        """Decide on one action; fails closed.

        Args:
            principal: Who asks.
            action: What for, such as ``runs.submit``.
            board: On which board; empty means everywhere.
            resource: What it is about, for the rules of an installation.

        Raises:
            PolicyUnavailable: No decision could be reached.
        """
        document = {
            "principal": principal.model_dump(mode="json", exclude={"session"}),
            "action": action,
            "board": board,
            "resource": resource,
        }
        value = self.live.current().evaluate(_AUTHORISATION, document)
        try:
            return AccessDecision(allow=value["allow"] is True, reason=str(value["reason"]))
        except (KeyError, TypeError) as error:
            raise PolicyUnavailable(f"the authorisation policy gave no decision: {error}") from error
