"""Looking at budgets and allowing more: what every front door calls."""

import uuid

from activities.budgets.contracts import BudgetView, UnknownBudget
from activities.identity.contracts import Forbidden, Principal, Role
from api.budget_models import AllowBody
from api.errors import Conflict
from api.reviewing import mine
from api.services import Services


async def allow(services: Services, principal: Principal, budget: str, body: AllowBody, key: str | None) -> BudgetView:
    """Allow more of a budget; rows that wait for it go on within seconds.

    Args:
        services: What the routes work with.
        principal: Who asks.
        budget: The budget's name.
        body: How much, for which period, why.
        key: Requests under the same key allow it once.

    Raises:
        UnknownBudget: There is no such budget or period.
        Conflict: Rows of several periods wait, and none is named.
        Forbidden: The budget names others who may allow more of it.
    """
    view = _chosen(await services.budgets.budgets(), budget, body.period)
    if not may_allow(services, principal, view):
        names = ", ".join(view.approvers)
        raise Forbidden(f"more of the budget {budget} is allowed by {names}", action="budgets.allow")
    return await services.budgets.allow(
        budget,
        view.period,
        body.usd,
        principal.acting_as(body.by),
        body.comment,
        f"{principal.name}/{key}" if key else uuid.uuid4().hex,
    )


def may_allow(services: Services, principal: Principal, view: BudgetView) -> bool:
    """Tell whether somebody may allow more of a budget; where it names nobody, whoever may of any."""
    if not services.access_policy.decide(principal, "budgets.allow").allow:
        return False
    names = mine(services, principal)
    return not view.approvers or names is None or Role.ADMIN in principal.roles or bool({*names} & {*view.approvers})


def _chosen(views: list[BudgetView], budget: str, period: str) -> BudgetView:
    found = [view for view in views if view.budget == budget and period in {"", view.period}]
    if not found:
        of = f" of {period}" if period else ""
        raise UnknownBudget(f"there is no budget {budget!r}{of}", budget=budget, period=period)
    waiting = [view for view in found if view.waiting]
    if len(waiting or found) > 1:
        periods = ", ".join(view.period for view in waiting or found)
        raise Conflict(f"say which period of the budget {budget} is meant: {periods}", budget=budget)
    return (waiting or found)[0]
