"""Live events as Server-Sent Events that resume where the client left off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.control import known_run
from api.errors import errors
from api.permission import Ground, may
from api.services import Served, Services

router = APIRouter(tags=["events"])

# Reading an index takes under a millisecond; a person does not see a quarter of a second.
POLL_SECONDS = 0.25
PING_SECONDS = 15
# The schema is that of each event in the stream.
_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "id": {"type": "string", "description": "Goes into Last-Event-ID to resume after this event"},
        "event": {"type": "string", "enum": ["run", "row", "step", "review", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "An event as JSON"},
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}

After = Annotated[int | None, Query(ge=0, le=2**62)]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)]


@router.get(
    "/runs/{run}/events",
    response_class=EventSourceResponse,
    responses={**_STREAM, **errors(404, 422, 503)},
    dependencies=[may("runs.read", Ground.RUN)],
)
async def run_events(
    run: str, services: Served, after: After = None, last_event_id: LastEventId = None
) -> EventSourceResponse:
    """Follow a run from its first event, or from the one after ``Last-Event-ID``; ends with the run."""
    await known_run(services, run)
    return EventSourceResponse(_follow(services, _start(after, last_event_id), run), ping=PING_SECONDS)


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={**_STREAM, **errors(422, 503)},
    dependencies=[may("events.read")],
)
async def all_events(services: Served, after: After = None, last_event_id: LastEventId = None) -> EventSourceResponse:
    """Follow everything that happens from now on, or from the event after ``Last-Event-ID``."""
    start = _start(after, last_event_id)
    if after is None and last_event_id is None:
        start = await services.queries.last_event()
    return EventSourceResponse(_follow(services, start, ""), ping=PING_SECONDS)


def _start(after: int | None, last_event_id: str | None) -> int:
    if last_event_id and last_event_id.isdecimal():
        return min(int(last_event_id), 2**62)
    return after or 0


async def _follow(services: Services, after: int, run: str) -> AsyncIterator[ServerSentEvent]:
    while True:
        # Asked before the events are read: what was recorded before a run's end is still sent.
        ended = bool(run) and (await known_run(services, run)).state.ended
        events = await services.queries.events(after, run=run)
        for event in events:
            after = event.id
            yield ServerSentEvent(event.model_dump_json(), event=event.kind, id=str(event.id))
        if not events:
            if ended:
                yield ServerSentEvent("{}", event="end", id=str(after))
                return
            await asyncio.sleep(POLL_SECONDS)
