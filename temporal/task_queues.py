"""Task queues as Temporal sees them: who polls them, and what waits in them."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueReference
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError

from temporal.names import TaskQueue
from temporal.queue_state import Poller, QueueState

log = logging.getLogger(__name__)

# It is read for a person who looks: rather no answer than a page that hangs. Nothing is retried, nothing changes.
ANSWER_WITHIN: Final = timedelta(seconds=2)
_KINDS: Final = {
    "workflows": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activities": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def queue_states(client: Client) -> list[QueueState]:
    """Return every queue of Prism; one that Temporal does not tell of says why."""
    return await asyncio.gather(*(_state(client, queue) for queue in TaskQueue))


async def _state(client: Client, queue: TaskQueue) -> QueueState:
    try:
        async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
            found = await asyncio.gather(*(_described(client, queue, kind) for kind in _KINDS.values()))
    except TimeoutError:
        return QueueState(queue=queue.value, problem=f"Temporal did not answer within {ANSWER_WITHIN.seconds} s")
    except RPCError as error:
        return QueueState(queue=queue.value, problem=f"Temporal refused to tell: {error.message}")
    except RuntimeError as error:
        # The lazy client's own words are those of its transport, five layers deep.
        log.info("Temporal cannot be reached: %s", error)
        return QueueState(queue=queue.value, problem="Temporal cannot be reached")
    seen: dict[str, tuple[datetime, list[str]]] = {}
    for takes, answer in zip(_KINDS, found, strict=True):
        for poller in answer.pollers:
            at, kinds = seen.get(poller.identity, (datetime.min.replace(tzinfo=UTC), []))
            seen[poller.identity] = (max(at, _last(poller)), [*kinds, takes])
    stats = [answer.stats for answer in found]
    return QueueState(
        queue=queue.value,
        pollers=tuple(
            Poller(identity=identity, last_seen=at.strftime("%Y-%m-%dT%H:%M:%SZ"), takes=tuple(kinds))
            for identity, (at, kinds) in sorted(seen.items())
        ),
        backlog=sum(one.approximate_backlog_count for one in stats),
        oldest_seconds=max(one.approximate_backlog_age.ToTimedelta().total_seconds() for one in stats),
        added_per_second=sum(one.tasks_add_rate for one in stats),
        taken_per_second=sum(one.tasks_dispatch_rate for one in stats),
    )


async def _described(client: Client, queue: TaskQueue, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueueReference(name=queue.value),
        task_queue_type=kind,
        report_stats=True,
    )
    return await client.workflow_service.describe_task_queue(request, timeout=ANSWER_WITHIN)


def _last(poller: PollerInfo) -> datetime:
    return poller.last_access_time.ToDatetime(UTC)
