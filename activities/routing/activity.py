"""The choice of a row's model group, as an activity: quick, and the same answer whenever it is asked again."""

from temporalio import activity

from activities.routing.contracts import Route, RoutePlanner, RouteRequest
from temporal.names import ActivityName


class RoutingActivities:
    """Chooses which model group writes a row."""

    def __init__(self, planner: RoutePlanner) -> None:
        self._planner = planner

    @activity.defn(name=ActivityName.ROUTE)
    async def route(self, request: RouteRequest) -> Route:
        """Choose; the first choice under a key stays."""
        return await self._planner.route(request)
