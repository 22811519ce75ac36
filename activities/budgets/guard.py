"""Counts what calls cost before and after they are made; many gateways may do so on one database."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, and_, delete, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from activities.budgets.contracts import OWN, BudgetSpent
from activities.budgets.rules import DEFAULT_WARN_AT, BudgetRules, Share, shares
from activities.budgets.tables import PeriodRow, ReservationRow, StopRow
from activities.records.database import timestamp, upsert
from activities.records.tables import RunRow, TaskRecord
from activities.records.transactions import Transactions
from temporal.contract import StepRef

_PERIODS = PeriodRow.__table__  # type: ignore[attr-defined]
_RESERVED = ReservationRow.__table__  # type: ignore[attr-defined]
_STOPS = StopRow.__table__  # type: ignore[attr-defined]
_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]

MILLIONTHS: Final = 1_000_000


def millionths(usd: float) -> int:
    """Return an amount as the tables keep it, never less than it is."""
    # What a float cannot hold exactly is not a millionth more.
    return math.ceil(round(usd * MILLIONTHS, 3))


class _TooLittleLeft(Exception):
    """A budget has less left than a call may cost."""

    def __init__(self, share: Share) -> None:
        super().__init__(share.budget.name)
        self.share = share


class SqlSpendGuard:
    """Keeps budgets in the records database.

    Args:
        engine: The records database.
        rules: The installation's budgets.
        clock: What time it is.
    """

    def __init__(
        self, engine: Engine, rules: BudgetRules, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._clock = clock
        self._transactions = Transactions(engine)

    async def reserve(self, step: StepRef, usd: float) -> bool:
        """Set aside the most that a call can cost, once per key; return whether anything counts it.

        Raises:
            BudgetSpent: A budget has not that much left; none is touched.
            RecordsUnavailable: The database does not answer.
        """
        if usd <= 0:
            return False
        amount = millionths(usd)
        try:
            return await self._transactions.run(lambda connection: self._reserve(connection, step, amount))
        except _TooLittleLeft as refused:
            short = refused.share
        # What was set aside of other budgets was taken back with the transaction.
        stop = await self._transactions.run(lambda connection: self._stop(connection, step, short, amount))
        name, period = short.budget.name, short.period
        message = f"a call of up to ${usd:.4f} is more than is left of the budget {name} ({period})"
        raise BudgetSpent(message, stop=stop, budget=name, period=period)

    async def settle(self, step: StepRef, usd: float) -> None:
        """Count what a call did cost instead of what was set aside."""
        await self._transactions.run(lambda connection: self._return(connection, step, millionths(usd)))

    async def release(self, step: StepRef) -> None:
        """Give back what was set aside for a call that failed."""
        await self._transactions.run(lambda connection: self._return(connection, step, 0))

    def _reserve(self, connection: Connection, step: StepRef, amount: int) -> bool:
        """Set aside of every budget, and tell whether any counts it."""
        # What a cut-off call set aside may have been paid: its next attempt is not set aside again.
        if connection.scalar(select(_RESERVED.c.key).where(_RESERVED.c.key == step.key).limit(1)):
            return True
        found = connection.execute(
            select(_ROWS.c.board, _RUNS.c.budget)
            .join(_RUNS, _RUNS.c.run == _ROWS.c.run)
            .where(_ROWS.c.run == step.run, _ROWS.c.row == step.row)
        ).first()
        board, own = (found.board, found.budget) if found else ("", None)
        own_usd = None if own is None else own / MILLIONTHS
        counted = shares(self._rules, step.run, board, own_usd, self._clock())
        for share in counted:
            self._take(connection, step, share, amount)
        return bool(counted)

    def _take(self, connection: Connection, step: StepRef, share: Share, amount: int) -> None:
        here = _period(share.budget.name, share.period)
        connection.execute(
            upsert(self._engine, PeriodRow).on_conflict_do_nothing(),
            {"budget": share.budget.name, "period": share.period, "spent": 0, "reserved": 0, "allowed": 0},
        )
        used = _PERIODS.c.spent + _PERIODS.c.reserved + amount
        limit = _PERIODS.c.allowed + millionths(share.budget.limit_usd)
        taken = update(_PERIODS).where(here, used <= limit).values(reserved=_PERIODS.c.reserved + amount)
        if connection.execute(taken).rowcount == 0:
            raise _TooLittleLeft(share)
        connection.execute(
            insert(_RESERVED).values(key=step.key, budget=share.budget.name, period=share.period, amount=amount)
        )

    def _stop(self, connection: Connection, step: StepRef, share: Share, amount: int) -> int:
        """Return the number of the stop, the same for every attempt of a call until it is freed."""
        place = (_STOPS.c.key == step.key) & _STOPS.c.freed_at.is_(None)
        known = connection.scalar(select(_STOPS.c.id).where(place))
        if known is not None:
            return int(known)
        values = {
            "key": step.key,
            "run": step.run,
            "row": step.row,
            "budget": share.budget.name,
            "period": share.period,
            "needed": amount,
            "since": timestamp(self._clock()),
            "paused": False,
        }
        return int(connection.execute(insert(_STOPS).values(values).returning(_STOPS.c.id)).scalar_one())

    def _return(self, connection: Connection, step: StepRef, spent: int) -> None:
        given_back = connection.execute(
            delete(_RESERVED)
            .where(_RESERVED.c.key == step.key)
            .returning(_RESERVED.c.budget, _RESERVED.c.period, _RESERVED.c.amount)
        ).all()
        for budget, period, amount in given_back:
            connection.execute(
                update(_PERIODS)
                .where(_period(budget, period))
                .values(reserved=_PERIODS.c.reserved - amount, spent=_PERIODS.c.spent + spent)
            )
            mark = self._mark(connection, step, budget)
            crossed = _period(budget, period) & _PERIODS.c.crossed_run.is_(None) & (_PERIODS.c.spent > 0)
            over = _PERIODS.c.spent >= mark[0] * (mark[1] + _PERIODS.c.allowed)
            values = {"crossed_run": step.run, "crossed_row": step.row}
            connection.execute(update(_PERIODS).where(crossed, over).values(values))

    def _mark(self, connection: Connection, step: StepRef, name: str) -> tuple[float, int]:
        """Return the share of a budget at which people are warned, and its limit."""
        if name == OWN:
            own = connection.scalar(select(_RUNS.c.budget).where(_RUNS.c.run == step.run))
            return DEFAULT_WARN_AT, int(own or 0)
        budget = next((one for one in self._rules.budgets if one.name == name), None)
        return (budget.warn_at, millionths(budget.limit_usd)) if budget else (1.0, 2**62)


def _period(budget: str, period: str) -> ColumnElement[bool]:
    return and_(_PERIODS.c.budget == budget, _PERIODS.c.period == period)
