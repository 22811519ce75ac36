"""One transaction in a thread: what the stores of this capability share."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from activities.records.contracts import RecordsUnavailable

Result = TypeVar("Result")


class Transactions:
    """Runs work on the records database, all of it or none.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Return what the work returns; an error takes back what it changed.

        Raises:
            RecordsUnavailable: The database does not answer.
        """

        def transaction() -> Result:
            with self._engine.begin() as connection:
                return work(connection)

        try:
            return await asyncio.to_thread(transaction)
        except OperationalError as error:
            raise RecordsUnavailable(f"the records database did not answer: {error.orig}") from error
