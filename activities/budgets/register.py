"""How budgets stand, which rows wait for more, and what people allow."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Row, select, update

from activities.audit.contracts import AuditEvent, AuditKind
from activities.audit.log import append
from activities.budgets.contracts import OWN, BudgetState, BudgetView, UnknownBudget, WaitingRow
from activities.budgets.guard import MILLIONTHS, millionths
from activities.budgets.rules import ANY_BOARD, BudgetRules, Share, forecast, own_budget, share_of
from activities.budgets.tables import AllowanceRow, PeriodRow, StopRow
from activities.records.contracts import RowState
from activities.records.database import timestamp, upsert
from activities.records.tables import RunRow, TaskRecord
from activities.records.transactions import Transactions

_PERIODS = PeriodRow.__table__  # type: ignore[attr-defined]
_STOPS = StopRow.__table__  # type: ignore[attr-defined]
_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_UNDER_WAY = [state.value for state in RowState if not state.ended]
_PER_RUN = "run/"


class Stop(NamedTuple):
    """A row that was stopped, as the tables keep it."""

    id: int
    run: str
    row: str
    budget: str
    period: str
    needed: int
    since: str
    paused: bool
    told: bool


class SqlBudgetRegister:
    """The reading side of the budgets, and where people allow more.

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

    async def budgets(self, run: str = "") -> list[BudgetView]:
        """Return how the budgets stand that matter now: those of today and this month, and where rows wait.

        Args:
            run: Only what this run counts against or waits for; empty for all.
        """
        return await self._transactions.run(lambda connection: self._views(connection, run))

    async def short(self, run: str = "", row: str = "") -> list[BudgetView]:
        """Return the spent budgets that rows wait for: all rows, or those of a run, or one."""
        stops = [stop for stop in await self.stops() if run in {"", stop.run} and row in {"", stop.row}]
        places = {_place(stop) for stop in stops}
        if not places:
            return []
        found = await self.budgets()
        return [view for view in found if (view.budget, view.period) in places and view.state is BudgetState.SPENT]

    async def allow(self, budget: str, period: str, usd: float, by: str, comment: str, key: str) -> BudgetView:
        """Allow more of a budget within one period; the same key allows it once.

        Raises:
            UnknownBudget: There is no such budget, or nothing was spent of it in that period.
        """
        return await self._transactions.run(
            lambda connection: self._allow(connection, budget, period, usd, by, comment, key)
        )

    async def stops(self) -> list[Stop]:
        """Return the rows that wait, the one that waits longest first; rows that have ended are forgotten."""
        return await self._transactions.run(self._stops)

    async def room(self, stops: Sequence[Stop]) -> list[Stop]:
        """Return those of the stops that there is room for now, all of them together."""
        return await self._transactions.run(lambda connection: self._room(connection, stops))

    async def exhausted(self, stops: Sequence[Stop]) -> list[Stop]:
        """Return those of the stops that there would be no room for even if calls under way cost nothing."""
        return await self._transactions.run(
            lambda connection: [stop for stop in stops if self._exhausted(connection, stop)]
        )

    async def told(self, stops: Sequence[Stop], *, paused: bool) -> None:
        """Keep that people were told of stops, and whether the run was paused for them."""
        values = {"told_at": timestamp(self._clock()), "paused": paused}
        await self._mark([stop.id for stop in stops], values)

    async def freed(self, stops: Sequence[Stop]) -> None:
        """Keep that rows go on."""
        await self._mark([stop.id for stop in stops], {"freed_at": timestamp(self._clock())})

    async def crossings(self) -> list[tuple[BudgetView, str, str]]:
        """Return the budgets that are nearly spent and nobody was warned of, with the run and row that did it."""
        return await self._transactions.run(self._crossings)

    async def warned(self, view: BudgetView) -> None:
        """Keep that people were warned."""
        here = (_PERIODS.c.budget == view.budget) & (_PERIODS.c.period == view.period)
        statement = update(_PERIODS).where(here).values(warned_at=timestamp(self._clock()))
        await self._transactions.run(lambda connection: connection.execute(statement))

    async def _mark(self, ids: list[int], values: dict[str, object]) -> None:
        statement = update(_STOPS).where(_STOPS.c.id.in_(ids)).values(values)
        await self._transactions.run(lambda connection: connection.execute(statement))

    def _stops(self, connection: Connection) -> list[Stop]:
        row = (_ROWS.c.run == _STOPS.c.run) & (_ROWS.c.row == _STOPS.c.row)
        columns = [_STOPS.c[name] for name in Stop._fields[:-1]]
        statement = (
            select(*columns, _STOPS.c.told_at.is_not(None), _ROWS.c.state)
            .outerjoin(_ROWS, row)
            .where(_STOPS.c.freed_at.is_(None))
            .order_by(_STOPS.c.id)
        )
        return [
            Stop(*found[:-1]) for found in connection.execute(statement) if found[-1] is None or found[-1] in _UNDER_WAY
        ]

    def _room(self, connection: Connection, stops: Sequence[Stop]) -> list[Stop]:
        free: list[Stop] = []
        for place, waiting in groupby(sorted(stops, key=_place), key=_place):
            share = self._share(connection, *place)
            if share is None or (share.renews_at is not None and share.period != place[1]):
                # The budget is gone, or a new period has begun: they are to ask again.
                free += waiting
                continue
            left = self._left(connection, share)
            for stop in sorted(waiting):
                left -= stop.needed
                if left >= 0:
                    free.append(stop)
        return free

    def _exhausted(self, connection: Connection, stop: Stop) -> bool:
        share = self._share(connection, *_place(stop))
        if share is None or share.period != stop.period:
            return False
        found = _row(connection, stop.budget, stop.period)
        limit = millionths(share.budget.limit_usd)
        return stop.needed > (limit + found.allowed - found.spent if found else limit)

    def _left(self, connection: Connection, share: Share) -> int:
        found = _row(connection, share.budget.name, share.period)
        limit = millionths(share.budget.limit_usd)
        return limit + found.allowed - found.spent - found.reserved if found else limit

    def _share(self, connection: Connection, name: str, period: str) -> Share | None:
        """Return what a budget's period is now; its period is another where a new one has begun."""
        run = period.partition(_PER_RUN)[2].partition("/board/")[0]
        if name == OWN:
            own = connection.scalar(select(_RUNS.c.budget).where(_RUNS.c.run == run))
            return None if own is None else Share(own_budget(own / MILLIONTHS), period, None)
        budget = next((one for one in self._rules.budgets if one.name == name), None)
        if budget is None:
            return None
        return share_of(self._rules, budget, run, period.partition("/board/")[2], self._clock())

    def _views(self, connection: Connection, run: str) -> list[BudgetView]:
        now = self._clock()
        stops = self._stops(connection)
        wanted: dict[tuple[str, str], Share] = {}
        for budget in self._rules.budgets:
            if budget.per != "run" and budget.board != ANY_BOARD:
                today = share_of(self._rules, budget, "", "", now)
                wanted[budget.name, today.period] = today
        known = select(_PERIODS.c.budget, _PERIODS.c.period).order_by(_PERIODS.c.period, _PERIODS.c.budget)
        for name, period in [*connection.execute(known), *(_place(stop) for stop in stops)]:
            share = self._share(connection, name, period)
            current = share is not None and share.period == period
            matters = run and period.partition("/board/")[0] == _PER_RUN + run
            waits = any(_place(stop) == (name, period) for stop in stops)
            if share is not None and (waits or matters or (current and share.renews_at is not None)):
                wanted[name, period] = share if current else Share(share.budget, period, None)
        views = [self._view(connection, share, stops) for share in wanted.values()]
        if run:
            views = [view for view in views if _counts(view, connection, run)]
        return views

    def _view(self, connection: Connection, share: Share, stops: Sequence[Stop]) -> BudgetView:
        found = _row(connection, share.budget.name, share.period)
        spent, reserved, allowed = (found.spent, found.reserved, found.allowed) if found else (0, 0, 0)
        waiting = tuple(
            WaitingRow(run=stop.run, row=stop.row, needed_usd=stop.needed / MILLIONTHS, since=stop.since)
            for stop in stops
            if _place(stop) == (share.budget.name, share.period)
        )
        limit = millionths(share.budget.limit_usd) + allowed
        used = spent + reserved
        short = any(spent + millionths(row.needed_usd) > limit for row in waiting)
        state = BudgetState.NEARLY_SPENT if used >= share.budget.warn_at * limit else BudgetState.OPEN
        predicted = forecast(spent / MILLIONTHS, share, self._clock())
        return BudgetView(
            budget=share.budget.name,
            period=share.period,
            per=share.budget.per,
            board=share.period.partition("/board/")[2] or share.budget.board,
            limit_usd=share.budget.limit_usd,
            allowed_usd=allowed / MILLIONTHS,
            spent_usd=spent / MILLIONTHS,
            reserved_usd=reserved / MILLIONTHS,
            forecast_usd=predicted,
            renews_at=timestamp(share.renews_at) if share.renews_at else None,
            state=BudgetState.SPENT if short or used >= limit else state,
            approvers=share.budget.approvers,
            waiting=waiting,
        )

    def _allow(
        self, connection: Connection, budget: str, period: str, usd: float, by: str, comment: str, key: str
    ) -> BudgetView:
        share = self._share(connection, budget, period)
        if share is None or (share.period != period and _row(connection, budget, period) is None):
            raise UnknownBudget(f"there is no budget {budget!r} of {period!r}", budget=budget, period=period)
        share = Share(share.budget, period, share.renews_at if share.period == period else None)
        place = {"budget": budget, "period": period}
        values = {**place, "key": key, "amount": millionths(usd), "by": by, "comment": comment}
        inserted = connection.execute(
            upsert(self._engine, AllowanceRow)
            .values({**values, "at": timestamp(self._clock())})
            .on_conflict_do_nothing()
            .returning(AllowanceRow.__table__.c.key)  # type: ignore[attr-defined]
        ).first()
        event = AuditEvent(
            kind=AuditKind.BUDGET_ALLOWED,
            actor=by,
            subject=f"budget/{budget}/{period}",
            detail={"usd": f"{usd:.6f}", "comment": comment},
            key=f"budget/{key}",
        )
        if inserted:
            here = (_PERIODS.c.budget == budget) & (_PERIODS.c.period == period)
            opened = {**place, "spent": 0, "reserved": 0, "allowed": 0}
            connection.execute(upsert(self._engine, PeriodRow).on_conflict_do_nothing(), opened)
            # There is more to spend, so there is another time to warn.
            more = {"allowed": _PERIODS.c.allowed + millionths(usd), "crossed_run": None, "warned_at": None}
            connection.execute(update(_PERIODS).where(here).values(more))
        view = self._view(connection, share, self._stops(connection))
        if inserted:
            append(connection, event)
        return view

    def _crossings(self, connection: Connection) -> list[tuple[BudgetView, str, str]]:
        crossed = select(_PERIODS).where(_PERIODS.c.crossed_run.is_not(None), _PERIODS.c.warned_at.is_(None))
        found = []
        for period in connection.execute(crossed).all():
            share = self._share(connection, period.budget, period.period)
            if share is not None and share.period == period.period:
                found.append((self._view(connection, share, ()), period.crossed_run, period.crossed_row))
        return found


def _place(stop: Stop) -> tuple[str, str]:
    return stop.budget, stop.period


def _row(connection: Connection, budget: str, period: str) -> Row[tuple[int, int, int]] | None:
    here = (_PERIODS.c.budget == budget) & (_PERIODS.c.period == period)
    return connection.execute(select(_PERIODS.c.spent, _PERIODS.c.reserved, _PERIODS.c.allowed).where(here)).first()


def _counts(view: BudgetView, connection: Connection, run: str) -> bool:
    """Tell whether calls of a run count against a budget."""
    if view.per == "run":
        return view.period.partition("/board/")[0] == _PER_RUN + run
    if not view.board:
        return True
    boards = select(_ROWS.c.board).where(_ROWS.c.run == run, _ROWS.c.board == view.board).limit(1)
    return connection.scalar(boards) is not None
