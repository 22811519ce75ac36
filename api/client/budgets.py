"""What both clients do with budgets."""

import uuid
from abc import abstractmethod
from typing import TypeVar

from activities.budgets.contracts import BudgetView
from api.budget_models import Budgets
from api.client import calls
from api.client.calls import Call

Answer = TypeVar("Answer")


class BudgetMethods:
    """Budgets, for the blocking client."""

    @abstractmethod
    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    def budgets(self, run: str = "") -> Budgets:
        """Return how the budgets stand; with a run only those that it counts against."""
        return self.send(calls.get("/budgets", Budgets, run=run))

    def allow(self, budget: str, usd: float, *, period: str = "", comment: str = "", by: str = "") -> BudgetView:
        """Allow more of a budget within one period; rows that wait for it go on."""
        return self.send(_allowed(budget, usd, period, comment, by))


class AsyncBudgetMethods:
    """Budgets, for the asynchronous client."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    async def budgets(self, run: str = "") -> Budgets:
        """Return how the budgets stand; with a run only those that it counts against."""
        return await self.send(calls.get("/budgets", Budgets, run=run))

    async def allow(self, budget: str, usd: float, *, period: str = "", comment: str = "", by: str = "") -> BudgetView:
        """Allow more of a budget within one period; rows that wait for it go on."""
        return await self.send(_allowed(budget, usd, period, comment, by))


def _allowed(budget: str, usd: float, period: str, comment: str, by: str) -> Call[BudgetView]:
    """Allow more, once: each call has its own key, so a repetition after a broken connection allows nothing twice."""
    body = {"usd": usd, "period": period, "comment": comment, "by": by}
    return calls.keyed("POST", f"/budgets/{calls.part(budget)}/allow", BudgetView, body, uuid.uuid4().hex)
