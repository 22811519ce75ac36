"""How long the answers of model groups have been of late."""

from collections.abc import Sequence
from typing import Final

from pydantic import NonNegativeFloat, NonNegativeInt
from sqlalchemy import Connection, Engine, func, select

from activities.records.tables import CallRow
from activities.records.transactions import Transactions
from temporal.contract import Contract

_CALLS = CallRow.__table__  # type: ignore[attr-defined]
_TOKENS = _CALLS.c.answer["completion_tokens"].as_integer()
# Enough for a mean, and as much as is read of a table of millions.
NEWEST: Final = 200


class AnswerLength(Contract):
    """The mean length of a group's newest answers, in tokens."""

    answers: NonNegativeInt
    tokens: NonNegativeFloat


async def answer_lengths(engine: Engine, groups: Sequence[str]) -> dict[str, AnswerLength]:
    """Return how long the newest answers of groups were; groups that never answered are left out.

    Args:
        engine: The records database.
        groups: As rows name them.

    Raises:
        RecordsUnavailable: The database does not answer.
    """

    def read(connection: Connection) -> dict[str, AnswerLength]:
        return {group: length for group in groups if (length := _length(connection, group)) is not None}

    return await Transactions(engine).read(read)


def _length(connection: Connection, group: str) -> AnswerLength | None:
    newest = (
        select(_TOKENS.label("tokens"))
        # An answer that served again was not written anew.
        .where(_CALLS.c.model_group == group, _CALLS.c.answered_at.is_not(None), _TOKENS > 0)
        .order_by(_CALLS.c.answered_at.desc())
        .limit(NEWEST)
        .subquery()
    )
    found = connection.execute(select(func.count(newest.c.tokens), func.avg(newest.c.tokens))).one()
    return AnswerLength(answers=found[0], tokens=float(found[1])) if found[0] else None
