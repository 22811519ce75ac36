"""Budgets: how they stand, and more of one."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from activities.budgets.contracts import BudgetView
from api.budget_models import AllowBody, Budgets
from api.budgeting import allow
from api.errors import errors
from api.permission import Access, may
from api.services import Served

router = APIRouter(prefix="/budgets", tags=["budgets"])

READS = may("budgets.read")
Allows = Annotated[Access, may("budgets.allow")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.get("", responses=errors(422, 503), dependencies=[READS])
async def list_budgets(
    services: Served,
    run: Annotated[str, Query(max_length=80, description="Only what this run counts against.")] = "",
) -> Budgets:
    """Show what was spent of each budget in its present period, and which rows wait for more."""
    return Budgets(budgets=await services.budgets.budgets(run))


@router.post("/{budget}/allow", responses=errors(403, 404, 409, 422, 503))
async def allow_more(
    budget: str, body: AllowBody, services: Served, access: Allows, idempotency_key: Key = None
) -> BudgetView:
    """Allow more of a budget within one period; rows that wait for it go on. The same key allows it once."""
    return await allow(services, access.principal, budget, body, idempotency_key)
