"""What a route demands of who asks: every route but a few names its action with ``may``."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from fastapi import Depends, Request

from activities.identity.contracts import Forbidden, Principal
from api.services import Served, Services


class Ground(Enum):
    """Where an action takes place; roles hold everywhere, grants only on their boards."""

    EVERYWHERE = auto()
    RUN = auto()
    ROW = auto()
    SOME_BOARDS = auto()


@dataclass(frozen=True)
class Access:
    """Somebody who may do what they ask for.

    Args:
        principal: Who.
        boards: Where; ``None`` means everywhere.
        csrf: What a page of theirs sends with requests that change something; empty without a browser's session.
    """

    principal: Principal
    boards: frozenset[str] | None = None
    csrf: str = ""


class Permission:
    """A dependency that lets a request pass when policy allows its action.

    Args:
        action: Such as ``runs.submit``; ``policies/authz`` knows them.
        ground: Where it takes place. With ``SOME_BOARDS`` the route itself keeps to ``Access.boards``.
    """

    def __init__(self, action: str, ground: Ground) -> None:
        self.action = action
        self.ground = ground

    async def __call__(self, request: Request, services: Served) -> Access:
        """Return who may do it, and where.

        Raises:
            Forbidden: Not they, or not there. Whether a run exists is not told to those who may not see it.
        """
        principal: Principal = request.state.principal
        csrf: str = request.state.csrf
        decision = services.access_policy.decide(principal, self.action, resource=request.url.path)
        if decision.allow:
            return Access(principal, csrf=csrf)
        if self.ground is not Ground.EVERYWHERE:
            boards = _granted(services, principal, self.action)
            if boards and await self._covered(request, services, boards):
                return Access(principal, boards, csrf)
        raise Forbidden(decision.reason, action=self.action)

    async def _covered(self, request: Request, services: Services, boards: frozenset[str]) -> bool:
        if self.ground is Ground.SOME_BOARDS:
            return True
        run, row = request.path_params["run"], request.path_params.get("row", "")
        return await _covers(services, boards, run, row if self.ground is Ground.ROW else "")


async def allowed(services: Services, principal: Principal, action: str, run: str, row: str = "") -> bool:
    """Return whether somebody may do an action on a run, or on one of its rows: what a page offers them."""
    if services.access_policy.decide(principal, action).allow:
        return True
    boards = _granted(services, principal, action)
    return bool(boards) and await _covers(services, boards, run, row)


def _granted(services: Services, principal: Principal, action: str) -> frozenset[str]:
    granted = {grant.board for grant in principal.boards}
    decide = services.access_policy.decide
    return frozenset(board for board in granted if decide(principal, action, board=board).allow)


async def _covers(services: Services, boards: frozenset[str], run: str, row: str) -> bool:
    found = await services.queries.boards(run, row)
    return bool(found) and boards.issuperset(found)


def may(action: str, ground: Ground = Ground.EVERYWHERE) -> Any:  # noqa: ANN401 -- as fastapi.Depends
    """Return the dependency that demands an action; it gives the route an ``Access``."""
    return Depends(Permission(action, ground))


# What a route without a parameter for it uses: ``dependencies=[SEES_SYSTEM]``.
SEES_SYSTEM: Final = may("system.read")
