"""How often rows named which agents, by the records."""

import asyncio
import re
from collections.abc import Collection
from typing import Final

from sqlalchemy import Engine, func, select

from activities.records.tables import TaskRecord

_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_SEPARATOR: Final = re.compile(r"\s*[>;,]\s*")


class SqlAgentRows:
    """Counts rows by what their column ``agent`` holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def counts(self) -> dict[str, tuple[int, str | None]]:
        """Return how many rows named what, and when the newest of them began."""
        return await asyncio.to_thread(self._counts)

    def _counts(self) -> dict[str, tuple[int, str | None]]:
        named = _ROWS.c.agent
        wanted = select(named, func.count(), func.max(_ROWS.c.started_at)).where(named != "").group_by(named)
        with self._engine.connect() as connection:
            return {str(cell): (int(rows), last) for cell, rows, last in connection.execute(wanted)}


def agents_of(cell: str, known: Collection[str]) -> frozenset[str]:
    """Return the agents that a cell names, alone or as a team; a role in words names none."""
    if cell in known:
        return frozenset({cell})
    names = _SEPARATOR.split(cell.strip())
    return frozenset(names) if all(name in known for name in names) else frozenset()
