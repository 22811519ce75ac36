"""Budgets of single deployments, counted where all others are; many gateways may do so on one database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, and_, select, update
from sqlalchemy.sql.elements import ColumnElement

from activities.budgets.contracts import Taken
from activities.budgets.guard import MILLIONTHS, millionths
from activities.budgets.rules import BudgetRules, day_of
from activities.budgets.tables import PeriodRow
from activities.records.database import upsert
from activities.records.transactions import Transactions

_PERIODS = PeriodRow.__table__  # type: ignore[attr-defined]
# No budget of the file can be called so.
_OF_DEPLOYMENT: Final = "deployment/"
# With less of a budget left, a deployment is not asked for small calls either.
NEXT_TO_NOTHING: Final = 0.05


class SqlAllowances:
    """Keeps what deployments cost a day in the records database.

    What is set aside for a call that was cut off stays until the day ends: the call may have been paid.

    Args:
        engine: The records database.
        rules: The installation's budgets: say whose midnight ends a day.
        clock: What time it is.
    """

    def __init__(
        self, engine: Engine, rules: BudgetRules, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._clock = clock
        self._transactions = Transactions(engine)

    async def take(self, deployment: str, limit_usd: float, usd: float) -> Taken:
        """Set aside the most that a call can cost, where there is that much left of the day's budget.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        now = self._clock()
        period, renews_at = day_of(self._rules, now)
        left = Taken(
            deployment=deployment,
            period=period,
            amount=millionths(usd),
            granted=False,
            renews_in_seconds=(renews_at - now).total_seconds(),
        )
        return await self._transactions.run(lambda connection: self._take(connection, left, millionths(limit_usd)))

    async def settle(self, taken: Taken, usd: float) -> None:
        """Count what a call did cost instead of what was set aside.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        given_back = {"reserved": _PERIODS.c.reserved - taken.amount, "spent": _PERIODS.c.spent + millionths(usd)}
        counted = update(_PERIODS).where(_here(taken)).values(given_back)
        await self._transactions.run(lambda connection: connection.execute(counted))

    async def spent_usd(self, deployment: str) -> float:
        """Return what the calls of a deployment have cost today."""
        period, _ = day_of(self._rules, self._clock())
        here = (_PERIODS.c.budget == _OF_DEPLOYMENT + deployment) & (_PERIODS.c.period == period)
        spent = await self._transactions.read(lambda one: one.scalar(select(_PERIODS.c.spent).where(here)))
        return (spent or 0) / MILLIONTHS

    def _take(self, connection: Connection, wish: Taken, limit: int) -> Taken:
        place = {"budget": _OF_DEPLOYMENT + wish.deployment, "period": wish.period}
        opened = {**place, "spent": 0, "reserved": 0, "allowed": 0}
        connection.execute(upsert(self._engine, PeriodRow).on_conflict_do_nothing(), opened)
        fits = _PERIODS.c.spent + _PERIODS.c.reserved + wish.amount <= limit
        taken = update(_PERIODS).where(_here(wish), fits).values(reserved=_PERIODS.c.reserved + wish.amount)
        if connection.execute(taken).rowcount:
            return wish.model_copy(update={"granted": True})
        left = limit - (connection.scalar(select(_PERIODS.c.spent).where(_here(wish))) or 0)
        short = left < wish.amount <= limit
        told = {"spent": left < NEXT_TO_NOTHING * limit, "wait_seconds": wish.renews_in_seconds if short else 0.0}
        return wish.model_copy(update=told)


def _here(taken: Taken) -> ColumnElement[bool]:
    return and_(_PERIODS.c.budget == _OF_DEPLOYMENT + taken.deployment, _PERIODS.c.period == taken.period)
