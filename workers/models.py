"""What processes know of the models that ask none: which are local, how rows are routed, what is left to spend."""

import os
import time
from typing import Final

from sqlalchemy import Engine

from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules_file import load_budgets
from activities.llm.groups import PROVIDERS, ModelGroups, discover_groups
from activities.llm.groups_file import load_keyless_groups
from activities.routing.register import SqlRoutePlanner
from workers.settings import Settings

# Every row asks what is left of the budgets; sums over periods are not made for each.
_KNOWN_FOR_SECONDS: Final = 5.0


def keyless_models(settings: Settings) -> ModelGroups:
    """Return the models of an installation as the gateway has them, without keys.

    Raises:
        InvalidModels: The file cannot be used.
    """
    if settings.models is not None:
        return load_keyless_groups(settings.models, settings.default_group)
    return discover_groups(
        {key: "set" for key, _ in PROVIDERS.values() if os.environ.get(key)},
        model_url=settings.model_url,
        model_name=settings.model_name,
        model_local=settings.model_local,
        default=settings.default_group,
    )


def open_planner(settings: Settings, engine: Engine, groups: ModelGroups) -> SqlRoutePlanner:
    """Return what chooses who writes a row.

    Raises:
        InvalidBudgets: The budgets cannot be used.
    """
    budgets = BudgetsLeft(SqlBudgetRegister(engine, load_budgets(settings.budgets)))
    return SqlRoutePlanner(engine, groups, budgets.part)


class BudgetsLeft:
    """Knows which part is left of the tightest budget that a run counts against."""

    def __init__(self, register: SqlBudgetRegister) -> None:
        self._register = register
        self._known: dict[str, tuple[float, float | None]] = {}

    async def part(self, run: str) -> float | None:
        """Return a number from 0 to 1; ``None`` where no budget counts the run's calls.

        Raises:
            RecordsUnavailable: The database does not answer.
        """
        now = time.monotonic()
        found = self._known.get(run)
        if found is None or found[0] < now:
            views = await self._register.budgets(run)
            parts = [view.left_usd / (view.limit_usd + view.allowed_usd) for view in views]
            self._known = {name: one for name, one in self._known.items() if one[0] >= now}
            found = self._known[run] = (now + _KNOWN_FOR_SECONDS, min(parts, default=None))
        return found[1]
