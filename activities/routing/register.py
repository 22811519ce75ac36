"""Chooses who writes a row and keeps the choice: whoever asks again, as after a crash, is told the same."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.sql.elements import ColumnElement

from activities.llm.groups import Counted, ModelGroups, RoutingRules
from activities.records.database import timestamp, upsert
from activities.records.tables import TaskRecord
from activities.records.transactions import Transactions
from activities.routing.choice import Open, choose, settled
from activities.routing.contracts import LocalShare, Route, RouteRequest
from activities.routing.counting import add
from activities.routing.share import Course
from activities.routing.tables import BoardShareRow, RouteRow, ShareRow

# Rows whose suitability a new one is compared with; a run with fewer is compared with all runs' newest.
COMPARED: Final = 200
_ENOUGH: Final = 20
# A call that was chosen for and is not counted by then has failed, or waits for a budget.
_UNDER_WAY: Final = timedelta(minutes=15)
_CHARACTERS_PER_TOKEN: Final = 4
_REMEMBERED: Final = 256
_ASKED: Final = ("calls", "local_calls", "tokens", "local_tokens")
_ROUTES = RouteRow.__table__  # type: ignore[attr-defined]
_SHARES = ShareRow.__table__  # type: ignore[attr-defined]
_BOARDS = BoardShareRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]

BudgetLeft = Callable[[str], Awaitable[float | None]]


async def _no_budget(_run: str) -> float | None:
    return None


class SqlRoutePlanner:
    """Chooses by the models file, and for rows that could go either way by the share that local models have.

    Args:
        engine: The records database.
        groups: The installation's models, with how they are routed.
        budget_left: Which part is left of the tightest budget that a run counts against.
        clock: What time it is.
    """

    def __init__(
        self,
        engine: Engine,
        groups: ModelGroups,
        budget_left: BudgetLeft = _no_budget,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._groups = groups
        self._rules = groups.routing or RoutingRules(tiers=(groups.default,))
        self._budget_left = budget_left
        self._clock = clock
        self._transactions = Transactions(engine)
        self._risks: dict[str, dict[str, int]] = {}

    async def route(self, request: RouteRequest) -> Route:
        """Return who writes a row; the first choice under a key stays.

        Raises:
            UnknownModel: The row names a group that is not configured.
            NoLocalModel: Its data may go to local models only, and none can serve it.
            RecordsUnavailable: The database does not answer.
        """
        if known := await self._transactions.read(lambda connection: _known(connection, request.step.key)):
            return known
        found = choose(self._groups, request, await self._budget_left(request.step.run))
        return await self._transactions.run(lambda connection: self._kept(connection, request, found))

    def _kept(self, connection: Connection, request: RouteRequest, found: Route | Open) -> Route:
        """Keep a choice; what could go either way is settled with the run's counts held."""
        step, now = request.step, self._clock()
        open_ = int(request.risk not in self._rules.best_for)
        add(connection, self._engine, step.run, timestamp(now)[:10], rows=1, open_rows=open_)
        each = request.prompt_bytes // _CHARACTERS_PER_TOKEN + request.max_tokens // 2
        if isinstance(found, Open):
            route = settled(found, self._course(connection, request, request.calls * each, open_, now))
        else:
            route = found
        values = {
            "key": step.key,
            "run": step.run,
            "row": step.row,
            "route": route.model_dump(mode="json"),
            "local": route.local,
            "suits": route.suits,
            "calls": request.calls,
            "tokens": request.calls * each,
            "under_way": True,
            "at": timestamp(now),
        }
        connection.execute(upsert(self._engine, RouteRow).values(values).on_conflict_do_nothing())
        return _known(connection, step.key) or route

    def _course(self, connection: Connection, request: RouteRequest, tokens: int, open_: int, now: datetime) -> Course:
        run, rules = request.step.run, self._rules
        of_tokens = rules.local_share_of is Counted.TOKENS
        own = _sums(connection, _SHARES.c.run == run)
        total, local = (own.tokens, own.local_tokens) if of_tokens else (own.calls, own.local_calls)
        for is_local, calls, expected in connection.execute(_under_way(run, now)):
            weight = int(expected if of_tokens else calls)
            total, local = total + weight, local + (weight if is_local else 0)
        rows = self._rows(connection, run)
        best = {risk.value for risk in rules.best_for}
        today = share_of(_sums(connection, _SHARES.c.day == timestamp(now)[:10]), rules)
        return Course(
            target=rules.local_share,
            local=local,
            total=total,
            rows=sum(rows.values()),
            chosen=own.rows - 1,
            open_rows=sum(number for risk, number in rows.items() if risk not in best),
            open_chosen=own.open_rows - open_,
            weight=tokens if of_tokens else request.calls,
            suits=_compared(connection, run),
            lately=0.0 if today.share is None else rules.local_share - today.share,
        )

    def _rows(self, connection: Connection, run: str) -> dict[str, int]:
        """Return how many rows of a run have which risk; a run's rows are all there before one is chosen for."""
        if run not in self._risks:
            by_risk = select(_ROWS.c.risk, func.count().label("rows")).where(_ROWS.c.run == run).group_by(_ROWS.c.risk)
            if len(self._risks) >= _REMEMBERED:
                self._risks.pop(next(iter(self._risks)))
            self._risks[run] = {one.risk: one.rows for one in connection.execute(by_risk)}
        return self._risks[run]


class SqlLocalShares:
    """Tells the shares that local models have.

    Args:
        engine: The records database.
        groups: The installation's models, with how they are routed.
    """

    def __init__(self, engine: Engine, groups: ModelGroups) -> None:
        self._rules = groups.routing
        self._transactions = Transactions(engine)

    async def run(self, run: str) -> LocalShare:
        """Return the share of a run, over all its days."""
        sums = await self._transactions.read(lambda connection: _sums(connection, _SHARES.c.run == run))
        return share_of(sums, self._rules)

    async def days(self, limit: int = 7) -> list[tuple[str, LocalShare]]:
        """Return the share of each day (UTC) that had calls, the newest first."""

        def read(connection: Connection) -> list[tuple[str, Sums]]:
            wanted = select(_SHARES.c.day, *_summed()).group_by(_SHARES.c.day).having(func.sum(_SHARES.c.calls) > 0)
            found = connection.execute(wanted.order_by(_SHARES.c.day.desc()).limit(limit))
            return [(day, Sums(*(int(one) for one in sums))) for day, *sums in found]

        return [(day, share_of(sums, self._rules)) for day, sums in await self._transactions.read(read)]

    async def since(self, day: str) -> LocalShare:
        """Return the share of all days from one on (UTC)."""
        sums = await self._transactions.read(lambda connection: _sums(connection, _SHARES.c.day >= day))
        return share_of(sums, self._rules)

    async def boards(self, day: str, limit: int = 100) -> list[tuple[str, LocalShare]]:
        """Return the share of each board over all days from one on, the busiest first."""

        def read(connection: Connection) -> list[tuple[str, Sums]]:
            counted = [func.sum(_BOARDS.c[name]).label(name) for name in _ASKED]
            wanted = select(_BOARDS.c.board, *counted).where(_BOARDS.c.day >= day).group_by(_BOARDS.c.board)
            found = connection.execute(wanted.order_by(counted[0].desc(), _BOARDS.c.board).limit(limit))
            return [(board, Sums(0, 0, *(int(one) for one in sums))) for board, *sums in found]

        return [(board, share_of(sums, self._rules)) for board, sums in await self._transactions.read(read)]


class Sums(NamedTuple):
    """What was counted; see ``ShareRow``."""

    rows: int
    open_rows: int
    calls: int
    local_calls: int
    tokens: int
    local_tokens: int


def share_of(sums: Sums, rules: RoutingRules | None) -> LocalShare:
    """Return counts as the share that they are."""
    return LocalShare(
        calls=sums.calls,
        local_calls=sums.local_calls,
        tokens=sums.tokens,
        local_tokens=sums.local_tokens,
        target=rules.local_share if rules else None,
        of=rules.local_share_of.value if rules else Counted.CALLS.value,
    )


def _known(connection: Connection, key: str) -> Route | None:
    found = connection.scalar(select(_ROUTES.c.route).where(_ROUTES.c.key == key))
    return None if found is None else Route.model_validate(found)


def _summed() -> list[Any]:
    return [func.coalesce(func.sum(_SHARES.c[name]), 0).label(name) for name in Sums._fields]


def _sums(connection: Connection, where: ColumnElement[bool]) -> Sums:
    # PostgreSQL sums 64 bits to decimals.
    return Sums(*(int(one) for one in connection.execute(select(*_summed()).where(where)).one()))


def _under_way(run: str, now: datetime) -> Any:  # noqa: ANN401 -- a statement
    """Return what is expected of rows that were chosen for and have no answer yet."""
    since = timestamp(now - _UNDER_WAY)
    here = (_ROUTES.c.run == run) & _ROUTES.c.under_way & (_ROUTES.c.at > since)
    sums = func.sum(_ROUTES.c.calls), func.sum(_ROUTES.c.tokens)
    return select(_ROUTES.c.local, *sums).where(here).group_by(_ROUTES.c.local)


def _compared(connection: Connection, run: str) -> tuple[float, ...]:
    newest = select(_ROUTES.c.suits).where(_ROUTES.c.suits.is_not(None)).order_by(_ROUTES.c.at.desc()).limit(COMPARED)
    own = tuple(connection.scalars(newest.where(_ROUTES.c.run == run)))
    return own if len(own) >= _ENOUGH else tuple(connection.scalars(newest))
