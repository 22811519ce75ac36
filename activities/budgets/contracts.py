"""What model calls may cost over a time, and what people see of it. Amounts are US dollars."""

from enum import StrEnum
from typing import Final, Protocol

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat

from temporal.contract import Contract, StepRef
from temporal.errors import InvalidFile, PrismError
from temporal.names import ErrorCode

# The budget that a run was given by whoever started it.
OWN: Final = "run"


class BudgetSpent(PrismError):
    """A call would cost more than is left of a budget. Nothing was asked and nothing paid; ``details`` has the stop."""

    code = ErrorCode.BUDGET_SPENT


class InvalidBudgets(InvalidFile):
    """The budgets cannot be used; ``details["faults"]`` lists why."""

    what = "budgets"


class UnknownBudget(PrismError):
    """No budget has this name."""

    code = ErrorCode.NOT_FOUND


class BudgetState(StrEnum):
    """How a budget stands."""

    OPEN = "open"
    NEARLY_SPENT = "nearly_spent"
    SPENT = "spent"


class WaitingRow(Contract):
    """A row that waits for more of a budget.

    Args:
        needed_usd: Most that its next call can cost.
    """

    run: str
    row: str
    needed_usd: NonNegativeFloat
    since: str


class BudgetView(Contract):
    """A budget within one of its periods.

    Args:
        period: The day, month or run, and the board where each has its own.
        allowed_usd: What people allowed on top of the limit.
        reserved_usd: Most that calls under way can cost.
        forecast_usd: What will be spent at the end of the period if it goes on like this; ``None`` when nobody can say.
        renews_at: When the next period begins; ``None`` for a run.
    """

    budget: str
    period: str
    per: str
    board: str = ""
    limit_usd: PositiveFloat
    allowed_usd: NonNegativeFloat = 0.0
    spent_usd: NonNegativeFloat = 0.0
    reserved_usd: NonNegativeFloat = 0.0
    forecast_usd: float | None = None
    renews_at: str | None = None
    state: BudgetState = BudgetState.OPEN
    approvers: tuple[str, ...] = ()
    waiting: tuple[WaitingRow, ...] = ()

    @property
    def left_usd(self) -> float:
        """What may still be spent."""
        return max(self.limit_usd + self.allowed_usd - self.spent_usd - self.reserved_usd, 0.0)


class Taken(Contract):
    """What became of the wish to set something aside of a deployment's budget of a day.

    Args:
        deployment: Whose budget it is.
        period: The day.
        amount: What was set aside, in millionths of a dollar.
        granted: Whether there was enough.
        spent: What was paid already leaves next to nothing for any call.
        wait_seconds: How long the call would wait for enough: until the next day, or hardly at all where calls under
            way may give some back, or where it costs more than a whole day may.
        renews_in_seconds: When the next day begins.
    """

    deployment: str
    period: str
    amount: NonNegativeInt
    granted: bool
    spent: bool = False
    wait_seconds: NonNegativeFloat = 0.0
    renews_in_seconds: NonNegativeFloat


class Allowances(Protocol):
    """Counts what the calls of deployments cost that have a budget of their own."""

    async def take(self, deployment: str, limit_usd: float, usd: float) -> Taken:
        """Set aside the most that a call can cost, where there is that much left of the day's budget."""
        ...

    async def settle(self, taken: Taken, usd: float) -> None:
        """Count what a call did cost instead of what was set aside."""
        ...

    async def spent_usd(self, deployment: str) -> float:
        """Return what the calls of a deployment have cost today."""
        ...


class SpendGuard(Protocol):
    """Stands before every call that costs money."""

    async def reserve(self, step: StepRef, usd: float) -> bool:
        """Set aside the most that a call can cost, once per key; return whether anything counts it.

        Raises:
            BudgetSpent: A budget has not that much left; none is touched.
        """
        ...

    async def settle(self, step: StepRef, usd: float) -> None:
        """Count what a call did cost instead of what was set aside."""
        ...

    async def release(self, step: StepRef) -> None:
        """Give back what was set aside for a call that failed."""
        ...
