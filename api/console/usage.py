"""The page of usage: calls, spend, latency, cache, local share and failures over time."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from activities.analytics.contracts import Part, Unit
from activities.analytics.failovers import failovers
from api import caching
from api.console import formats
from api.console.columns import HEIGHT, columns
from api.console.failovers import THE_GATEWAY, chart_of
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served
from api.using import used

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Sees = Annotated[Access, may("system.read")]
PERIODS: Final = (1, 7, 30, 90)
# The chart has all that were read; who wants to read more asks for them.
MOST_EVENTS: Final = 40
KINDS: Final = {"paid": "by a provider", "local": "by a local model", "cached": "from the cache"}


@router.get("/usage")
async def usage_page(services: Served, access: Sees, days: Annotated[int, Query(ge=1, le=366)] = 30) -> Response:
    """Show what model calls of the last days amount to."""
    found = await used(services, days)
    incidents = await failovers(services.stores.engine, days)
    names = [_named(part, found.unit) for part in found.parts]
    calls = columns(
        [_stacked(part) for part in found.parts],
        [f"{name}: {formats.number(part.calls)} calls" for name, part in zip(names, found.parts, strict=True)],
    )
    spend = columns(
        [[("paid", part.cost_usd)] for part in found.parts],
        [f"{name}: {formats.money(part.cost_usd)}" for name, part in zip(names, found.parts, strict=True)],
    )
    return page(
        "usage.html",
        account=account_of(access),
        usage=found,
        names=names,
        named_boards=[(one.board or "(no board)", one) for one in found.boards],
        calls=calls,
        spend=spend,
        height=HEIGHT,
        kinds=KINDS,
        slowest=max((model.slow_ms or 0 for model in found.models), default=0),
        incidents=incidents,
        events=incidents.events[:MOST_EVENTS],
        chart=chart_of(incidents),
        the_gateway=THE_GATEWAY,
        cache=await caching.cache(services),
        periods=PERIODS,
        days=days,
    )


def _stacked(part: Part) -> list[tuple[str, float]]:
    """Return a part's calls by who answered; what the cache served counts as that, whoever had answered first."""
    local = min(part.local, part.calls - part.cached)
    return [("paid", part.calls - part.cached - local), ("local", local), ("cached", part.cached)]


def _named(part: Part, unit: Unit) -> str:
    return f"{part.at[:10]} {part.at[11:13]}:00" if unit is Unit.HOUR else part.at[:10]
