"""Budgets as people write them, and which period of each a moment falls into. Pure; ``rules_file`` reads the YAML."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from activities.budgets.contracts import OWN
from activities.yaml_fields import PositiveAmount, Zone

ANY_BOARD = "*"
DEFAULT_WARN_AT = 0.8


def _share(value: object) -> float:
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError("must be a share such as 80%") from None
    if not 0 < share <= 1:
        raise ValueError("must be more than 0% and at most 100%")
    return share


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(_Part):
    """How much may be spent per day, month or run.

    Args:
        board: Only rows of this board count; ``*`` gives every board as much of its own.
        warn_at: The share of the limit at which people are warned.
        approvers: Whom the warning and the request for more go to: people, or ``role:<name>``.
    """

    name: Name
    limit_usd: PositiveAmount
    per: Literal["day", "month", "run"]
    board: Annotated[str, Field(max_length=200)] = ""
    warn_at: Annotated[float, BeforeValidator(_share)] = DEFAULT_WARN_AT
    approvers: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()


class BudgetRules(_Part):
    """All budgets of an installation.

    Args:
        time_zone: Whose midnight ends a day.
    """

    time_zone: Zone = "UTC"
    budgets: tuple[Budget, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> "BudgetRules":
        names = [budget.name for budget in self.budgets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: a budget's name stands twice")
        if OWN in names:
            raise ValueError(f"{OWN} is the name of the budget that a run brings itself")
        return self


@dataclass(frozen=True)
class Share:
    """The part of a budget that a call counts against.

    Args:
        renews_at: When the next period begins; ``None`` for a run.
    """

    budget: Budget
    period: str
    renews_at: datetime | None


def shares(rules: BudgetRules, run: str, board: str, own_usd: float | None, now: datetime) -> list[Share]:
    """Return all that a call of a row counts against.

    Args:
        rules: The installation's budgets.
        run: The row's run.
        board: The row's board.
        own_usd: What the run may cost by the word of whoever started it; ``None`` for no limit of its own.
        now: The moment of the call.
    """
    found = [
        share_of(rules, budget, run, board, now) for budget in rules.budgets if budget.board in {"", ANY_BOARD, board}
    ]
    if own_usd is not None:
        found.append(Share(own_budget(own_usd), f"run/{run}", None))
    return found


def own_budget(usd: float) -> Budget:
    """Return the budget that a run brings itself."""
    return Budget.model_construct(name=OWN, limit_usd=usd, per="run", board="", warn_at=DEFAULT_WARN_AT, approvers=())


def day_of(rules: BudgetRules, now: datetime) -> tuple[str, datetime]:
    """Return the day that a moment falls into, and when the next one begins."""
    local = now.astimezone(ZoneInfo(rules.time_zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return local.strftime("%Y-%m-%d"), (midnight + timedelta(days=1)).astimezone(UTC)


def share_of(rules: BudgetRules, budget: Budget, run: str, board: str, now: datetime) -> Share:
    """Return the period of a budget that a moment falls into."""
    local = now.astimezone(ZoneInfo(rules.time_zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    renews_at: datetime | None = None
    if budget.per == "run":
        period = f"run/{run}"
    elif budget.per == "day":
        period, renews_at = day_of(rules, now)
    else:
        period = local.strftime("%Y-%m")
        renews_at = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1).astimezone(UTC)
    if budget.board == ANY_BOARD:
        period = f"{period}/board/{board}"
    return Share(budget, period, renews_at)


def forecast(spent_usd: float, share: Share, now: datetime) -> float | None:
    """Return what will be spent by the end of a period if it goes on like this; ``None`` where nobody can say."""
    if share.renews_at is None:
        return None
    length = timedelta(days=1) if share.budget.per == "day" else _month_before(share.renews_at)
    gone = 1 - (share.renews_at - now) / length
    return spent_usd / gone if gone > 0 else None


def _month_before(end: datetime) -> timedelta:
    # In whatever zone it is, some hours after the first the last month's length follows from its last day.
    last = (end + timedelta(hours=14)).replace(day=1) - timedelta(days=1)
    return timedelta(days=last.day)
