"""Activities that write the records; all are idempotent upserts."""

from temporalio import activity

from activities.plans.contracts import PlanReader
from activities.records.contracts import (
    Recorded,
    RecordKeeper,
    RowAsked,
    RowChanges,
    RowEnding,
    RowRecord,
    RunChange,
    RunGrowth,
    RunOpening,
    Steering,
)
from catalogs.plan import PlannedRow
from catalogs.prompt_version import prompt_version
from temporal.names import ActivityName


class RecordActivities:
    """Writes runs and rows. Holds the keeper and the plan reader; knows no workflow."""

    def __init__(self, keeper: RecordKeeper, plans: PlanReader) -> None:
        self._keeper = keeper
        self._plans = plans

    @activity.defn(name=ActivityName.OPEN_RUN)
    async def open_run(self, opening: RunOpening) -> Recorded:
        """Record the run and all rows of its plan as pending, page by page."""
        await self._keeper.open_run(opening)
        plan = await self._plans.plan(opening.plan)
        ids: list[str] = []
        for number in range(len(plan.pages)):
            page = await self._plans.page(opening.plan, number)
            ids.extend(planned.row.id for planned in page.rows)
            await self._keeper.open_rows(opening.run, [_pending(planned, ids) for planned in page.rows])
            activity.heartbeat(number)
        return Recorded(rows=plan.total)

    @activity.defn(name=ActivityName.GROW_RUN)
    async def grow_run(self, growth: RunGrowth) -> Recorded:
        """Record rows that were added to a run as pending, and what waits for them now."""
        plan = await self._plans.plan(growth.plan)
        pages = range(len(plan.pages))
        ids: list[str] = []
        for number in pages:
            ids.extend(planned.row.id for planned in (await self._plans.page(growth.plan, number)).rows)
            activity.heartbeat(number)
        added, rows, waiting = set(growth.rows), [], {}
        for number in pages:
            for planned in (await self._plans.page(growth.plan, number)).rows:
                if planned.row.id in added:
                    rows.append(_pending(planned, ids) | {"planned_by": growth.by})
                elif any(ids[index] in added for index in planned.upstream):
                    waiting[planned.row.id] = [ids[index] for index in planned.upstream]
            activity.heartbeat(number)
        await self._keeper.grow_run(growth, rows, waiting)
        return Recorded(rows=len(rows))

    @activity.defn(name=ActivityName.CHANGE_RUN)
    async def change_run(self, change: RunChange) -> Recorded:
        """Record a run's new state."""
        await self._keeper.change_run(change)
        return Recorded()

    @activity.defn(name=ActivityName.CHANGE_ROWS)
    async def change_rows(self, changes: RowChanges) -> Recorded:
        """Record rows' new states."""
        await self._keeper.change_rows(changes)
        return Recorded(rows=len(changes.changes))

    @activity.defn(name=ActivityName.RECORD_ROW)
    async def record_row(self, record: RowRecord) -> Recorded:
        """Record a row's end."""
        await self._keeper.record_row(record)
        return Recorded(rows=1)

    @activity.defn(name=ActivityName.ROW_ENDING)
    async def row_ending(self, asked: RowAsked) -> RowEnding:
        """Return how a row stands, for a run that was not told."""
        return await self._keeper.row_ending(asked)

    @activity.defn(name=ActivityName.STEERED)
    async def steered(self, steering: Steering) -> Recorded:
        """Tell the audit log that somebody steers a run."""
        await self._keeper.steered(steering)
        return Recorded()


def _pending(planned: PlannedRow, ids: list[str]) -> dict[str, object]:
    row = planned.row
    return {
        "row": row.id,
        "position": planned.index,
        "board": row.board,
        "task": row.task,
        "title": row.title,
        "objective": row.objective,
        "risk": row.risk.value,
        "agent": row.agent,
        "prompt_version": prompt_version(row),
        "upstream": [ids[index] for index in planned.upstream],
    }
