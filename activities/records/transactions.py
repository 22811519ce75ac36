"""One transaction in a thread: what all stores of the records database share."""

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

        return await answered(transaction)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what the work reads; it changes nothing.

        Raises:
            RecordsUnavailable: The database does not answer.
        """

        def reading() -> Result:
            with self._engine.connect() as connection:
                return work(connection)

        return await answered(reading)


async def answered(work: Callable[[], Result]) -> Result:
    """Return what work with the records database returns, done in a thread.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    try:
        return await asyncio.to_thread(work)
    except OperationalError as error:
        raise RecordsUnavailable(f"the records database did not answer: {error.orig}") from error
