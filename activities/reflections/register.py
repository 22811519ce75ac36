"""The register of reflections and prompt versions in the records database."""

from typing import Any

from sqlalchemy import Connection, Engine, select, update

from activities.audit.contracts import CALENDAR, AuditEvent, AuditKind
from activities.audit.log import append
from activities.records.contracts import RowState
from activities.records.database import timestamp, upsert
from activities.records.tables import TaskRecord
from activities.records.transactions import Transactions
from activities.reflections.contracts import Ending, PromptVersion, Reflection, ReflectionState, ReflectRequest
from activities.reflections.tables import PromptVersionRow, ReflectionRow
from activities.reviews.tables import ReviewRow
from catalogs.evidence import ROW

_REFLECTIONS = ReflectionRow.__table__  # type: ignore[attr-defined]
_VERSIONS = PromptVersionRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_REVIEWS = ReviewRow.__table__  # type: ignore[attr-defined]
_ENDS = [state.value for state in ReflectionState if state.ended]


class SqlReflectionRegister:
    """Remembers reflections and what came of them.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def begin(self, request: ReflectRequest, wanted: int) -> None:
        """Note that one begins, once."""
        values = request.model_dump(include={"reflection", "agent", "board", "by"})
        values |= {"state": ReflectionState.GATHERING.value, "message": "", "evidence": 0, "left_out": 0}
        values |= {"wanted": wanted, "at": timestamp()}
        event = AuditEvent(
            kind=AuditKind.REFLECTION_STARTED,
            actor=request.by or CALENDAR,
            subject=f"reflection/{request.reflection}",
            detail={"agent": request.agent, "board": request.board},
            key=f"{request.reflection}/started",
        )

        def write(connection: Connection) -> None:
            connection.execute(upsert(self._engine, ReflectionRow).on_conflict_do_nothing(), values)
            append(connection, event)

        await self._transactions.run(write)

    async def change(self, reflection: Reflection) -> None:
        """Note how one stands; one that has ended stays so."""
        await self._transactions.run(lambda connection: _change(connection, reflection))

    async def approve(self, reflection: Reflection, version: PromptVersion) -> None:
        """Note the version that came of one, and that it has ended."""
        values = version.model_dump(mode="json") | {"agent": version.definition.name}
        event = AuditEvent(
            kind=AuditKind.PROMPT_APPROVED,
            actor=version.approved_by,
            subject=f"agent/{version.definition.name}",
            detail=version.model_dump(mode="json", include={"digest", "parent", "reflection", "experiment"}),
            key=f"{version.reflection}/approved",
        )

        def write(connection: Connection) -> None:
            connection.execute(upsert(self._engine, PromptVersionRow).on_conflict_do_nothing(), values)
            _change(connection, reflection)
            append(connection, event)

        await self._transactions.run(write)

    async def reflection(self, identity: str) -> Reflection | None:
        """Return one, with what came of it."""
        found = await self._read(select(_REFLECTIONS).where(_REFLECTIONS.c.reflection == identity))
        return found[0] if found else None

    async def reflections(self, limit: int = 50) -> list[Reflection]:
        """Return reflections, the newest first; not each time that the calendar found nothing."""
        told = (_REFLECTIONS.c.by != "") | (_REFLECTIONS.c.state != ReflectionState.NOTHING.value)
        newest = select(_REFLECTIONS).where(told).order_by(_REFLECTIONS.c.at.desc(), _REFLECTIONS.c.reflection)
        return await self._read(newest.limit(limit))

    async def versions(self) -> list[PromptVersion]:
        """Return every version that was approved, the oldest first."""
        ordered = select(_VERSIONS).order_by(_VERSIONS.c.at, _VERSIONS.c.reflection)

        def read(connection: Connection) -> list[PromptVersion]:
            return [PromptVersion.model_validate(dict(one)) for one in connection.execute(ordered).mappings()]

        return await self._transactions.read(read)

    async def last(self, agent: str, but: str) -> Reflection | None:
        """Return the newest reflection of an agent, but one, that a model was asked for or still may be."""
        others = (_REFLECTIONS.c.agent == agent) & (_REFLECTIONS.c.reflection != but)
        others &= _REFLECTIONS.c.state.not_in([ReflectionState.NOTHING.value, ReflectionState.FAILED.value])
        found = await self._read(select(_REFLECTIONS).where(others).order_by(_REFLECTIONS.c.at.desc()).limit(1))
        return found[0] if found else None

    async def under_way(self, agent: str) -> Reflection | None:
        """Return the reflection of an agent that has not ended, if there is one."""
        going = (_REFLECTIONS.c.agent == agent) & _REFLECTIONS.c.state.not_in(_ENDS)
        found = await self._read(select(_REFLECTIONS).where(going).limit(1))
        return found[0] if found else None

    async def ending(self, identity: str) -> Ending:
        """Return how the row of a reflection stands."""
        return await self._transactions.read(lambda connection: _ending(connection, identity))

    async def _read(self, statement: Any) -> list[Reflection]:  # noqa: ANN401 -- a SQL statement
        def read(connection: Connection) -> list[Reflection]:
            found = [dict(one) for one in connection.execute(statement).mappings()]
            here = _VERSIONS.c.reflection.in_([one["reflection"] for one in found])
            versions = {
                one["reflection"]: dict(one) for one in connection.execute(select(_VERSIONS).where(here)).mappings()
            }
            return [Reflection.model_validate(one | {"version": versions.get(one["reflection"])}) for one in found]

        return await self._transactions.read(read)


def _change(connection: Connection, reflection: Reflection) -> None:
    told = {"state", "message", "definition", "evidence", "left_out"}
    values: dict[str, Any] = reflection.model_dump(mode="json", include=told)
    values["ended_at"] = timestamp() if reflection.state.ended else None
    here = (_REFLECTIONS.c.reflection == reflection.reflection) & _REFLECTIONS.c.state.not_in(_ENDS)
    connection.execute(update(_REFLECTIONS).where(here).values(values))


def _ending(connection: Connection, identity: str) -> Ending:
    columns = (_ROWS.c[name] for name in ("state", "message", "output_digest", "attempt", "finished_at"))
    row = connection.execute(select(*columns).where(_ROWS.c.run == identity, _ROWS.c.row == ROW)).mappings().first()
    if row is None:
        return Ending(message="its run did not begin")
    here = (_REVIEWS.c.run == identity) & (_REVIEWS.c.row == ROW) & (_REVIEWS.c.attempt == row["attempt"])
    decided = connection.scalar(select(_REVIEWS.c.decided_by).where(here).order_by(_REVIEWS.c.round.desc()).limit(1))
    state = RowState(row["state"])
    return Ending(
        succeeded=state is RowState.SUCCEEDED,
        rejected=state is RowState.REJECTED,
        message=row["message"] or state.value.replace("_", " "),
        output=row["output_digest"],
        decided_by=decided or "",
        at=row["finished_at"] or "",
    )
