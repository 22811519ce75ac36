"""Keeps what calls of tools came to in the records database: a row that runs again finds what its model was told."""

import asyncio

from sqlalchemy import Engine, select

from activities.artifacts.contracts import Digest
from activities.records.database import timestamp, upsert
from activities.sandbox.contracts import SandboxResult
from activities.sandbox.tables import ToolResultRow

_RESULTS = ToolResultRow.__table__  # type: ignore[attr-defined]


class SqlProgramResults:
    """Keeps results under idempotency keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def kept(self, key: str, asked: Digest) -> SandboxResult | None:
        """Return what the same program came to with the same input under a key."""
        return await asyncio.to_thread(self._kept, key, asked)

    async def keep(self, key: str, asked: Digest, result: SandboxResult) -> None:
        """Keep a result. Another program or input under the key takes the place of the one before."""
        await asyncio.to_thread(self._keep, key, asked, result)

    def _kept(self, key: str, asked: Digest) -> SandboxResult | None:
        wanted = select(_RESULTS.c.result).where(_RESULTS.c.key == key, _RESULTS.c.asked == asked)
        with self._engine.connect() as connection:
            found = connection.scalar(wanted)
        return SandboxResult.model_validate(found) if found else None

    def _keep(self, key: str, asked: Digest, result: SandboxResult) -> None:
        values = {"key": key, "asked": asked, "result": result.model_dump(mode="json"), "at": timestamp()}
        statement = upsert(self._engine, ToolResultRow).values(values)
        newer = {name: statement.excluded[name] for name in ("asked", "result", "at")}
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=newer))
