"""Bodies of HTTP requests and answers about budgets."""

from pydantic import BaseModel, Field

from activities.budgets.contracts import BudgetView
from api.models import Body

# Nobody means more than this by one click.
MOST_USD = 1_000_000_000


class Budgets(BaseModel):
    """How the budgets stand."""

    budgets: list[BudgetView]


class AllowBody(Body):
    """More of a budget, for one of its periods.

    Args:
        usd: How much more, in US dollars.
        period: The period, as the budget names it; needed only where rows of several periods wait.
        comment: Why.
        by: Who allows it; needed nowhere, and never somebody else.
    """

    usd: float = Field(gt=0, le=MOST_USD, allow_inf_nan=False)
    period: str = Field(default="", max_length=300)
    comment: str = Field(default="", max_length=10_000)
    by: str = Field(default="", max_length=200)
