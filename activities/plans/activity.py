"""The activity that hands a run the heads of its rows, page by page."""

from temporalio import activity

from activities.plans.contracts import Located, LocateRequest, PageHeads, PageRequest, PlanReader, RowHead
from catalogs.plan import Plan, PlannedRow
from temporal.names import ActivityName


class PlanActivities:
    """Reads plans for workflows.

    Args:
        plans: Where plans are read from.
    """

    def __init__(self, plans: PlanReader) -> None:
        self._plans = plans

    @activity.defn(name=ActivityName.PLAN_PAGE)
    async def page(self, request: PageRequest) -> PageHeads:
        """Return the heads of one page of a plan: small enough for history."""
        plan = await self._plans.plan(request.plan)
        page = await self._plans.page(request.plan, request.page)
        heads = tuple(
            RowHead(
                index=planned.index,
                id=planned.row.id,
                board=planned.row.board,
                title=planned.row.title,
                priority=planned.row.priority,
                upstream=planned.upstream,
                dependants=planned.dependants,
                unread=_unread(plan, planned),
            )
            for planned in page.rows
        )
        return PageHeads(rows=heads, total=plan.total)

    @activity.defn(name=ActivityName.LOCATE)
    async def locate(self, request: LocateRequest) -> Located:
        """Return where the plan holds rows that a person named."""
        wanted = set(request.rows)
        indexes: list[int] = []
        plan = await self._plans.plan(request.plan)
        for number in range(len(plan.pages)):
            page = await self._plans.page(request.plan, number)
            indexes.extend(planned.index for planned in page.rows if planned.row.id in wanted)
            if len(indexes) == len(wanted):
                break
        return Located(indexes=tuple(indexes))


def _unread(plan: Plan, planned: PlannedRow) -> int | None:
    origin = plan.origin(planned.index)
    return origin.index if origin is not None and origin.by not in planned.row.depends_on else None
