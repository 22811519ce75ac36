"""DeliveryWorkflow: what the rules say leaves the house, durably, on real Temporal servers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from activities.notifications.contracts import DueReport, DueRequest
from activities.notifications.signature import verify_webhook
from temporal.address import TemporalAddress
from temporal.dev_server import dev_server_command
from temporal.names import DELIVERY_WORKFLOW_ID, ActivityName, TaskQueue
from tests.conftest import answering, free_port
from tests.installation import ON_SKIPPING_SERVER, Installation
from tests.receiver import receiver
from workers.notifications import start_delivery
from workers.settings import Settings
from workers.worker import WORKFLOW_RUNNER, served
from workflows.delivery import LONGEST_PAUSE, DeliveryLoop, DeliveryWorkflow, pause

EVENTS = 60


class Script:
    """Stands for the activity: reports by script, and ends the workflow when the script is at its end."""

    def __init__(self, client: Client, reports: Sequence[DueReport]) -> None:
        self._client = client
        self._reports = list(reports)
        self.moments: list[datetime] = []
        self.ended = asyncio.Event()

    @activity.defn(name=ActivityName.DELIVER_DUE)
    async def deliver_due(self, _request: DueRequest) -> DueReport:
        self.moments.append(activity.info().scheduled_time)
        if len(self._reports) == 1:
            # Told afterwards: the test's end stops the worker, and with it this activity.
            await self._client.get_workflow_handle(DELIVERY_WORKFLOW_ID).terminate("the script is at its end")
            self.ended.set()
        return self._reports.pop(0)


@asynccontextmanager
async def scripted(client: Client, reports: Sequence[DueReport]) -> AsyncIterator[Script]:
    script = Script(client, reports)
    async with (
        Worker(
            client,
            task_queue=TaskQueue.WORKFLOWS,
            workflows=[DeliveryWorkflow],
            workflow_runner=WORKFLOW_RUNNER,
        ),
        Worker(client, task_queue=TaskQueue.NOTIFICATIONS, activities=[script.deliver_due]),
    ):
        yield script


def handle(client: Client) -> WorkflowHandle[DeliveryWorkflow, DeliveryLoop]:
    return client.get_workflow_handle_for(DeliveryWorkflow.run, DELIVERY_WORKFLOW_ID)


@pytest.mark.parametrize(
    ("wait", "expected"),
    [(None, 30.0), (0.0, 0.0), (0.25, 0.25), (29.9, 29.9), (86400.0, 30.0)],
)
def test_the_pause_lasts_until_something_is_due_but_never_long(wait: float | None, expected: float) -> None:
    assert pause(DueReport(wait_seconds=wait)) == timedelta(seconds=expected)


@ON_SKIPPING_SERVER[0]
@ON_SKIPPING_SERVER[1]
async def test_the_loop_waits_by_durable_timers(skipping_client: Client) -> None:
    waits = [None, 5.0, 3600.0, 0.0, None]
    async with scripted(skipping_client, [DueReport(wait_seconds=wait) for wait in waits]) as script:
        # Only awaiting the result on the handle of the start lets the server's clock jump.
        loop = await start_delivery(skipping_client)
        with pytest.raises(WorkflowFailureError):
            await loop.result()
    gaps = [later - earlier for earlier, later in zip(script.moments, script.moments[1:], strict=False)]
    longest = LONGEST_PAUSE.total_seconds()
    assert [gap.total_seconds() for gap in gaps] == pytest.approx([longest, 5.0, longest, 0.0], abs=2.0)


@pytest.fixture(scope="module")
async def eager_client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server of its own that suggests to continue as new after few events."""
    port = free_port()
    command = dev_server_command(tmp_path_factory.mktemp("eager") / "temporal.db", port, free_port())
    command += ["--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={EVENTS}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield await answering(TemporalAddress(target=f"127.0.0.1:{port}"))
    finally:
        process.terminate()
        await process.wait()


async def test_a_long_loop_continues_as_new_and_keeps_its_count(eager_client: Client) -> None:
    reports = [DueReport(delivered=1, retried=2, wait_seconds=0.0) for _ in range(40)]
    async with scripted(eager_client, reports) as script, asyncio.timeout(60):
        await start_delivery(eager_client)
        while len(script.moments) < 30:
            await asyncio.sleep(0.02)
        progress = await handle(eager_client).query(DeliveryWorkflow.progress)
        assert progress.rounds >= 29
        assert (progress.delivered, progress.retried) == (progress.rounds, 2 * progress.rounds)
        await script.ended.wait()
    query = f"WorkflowId = '{DELIVERY_WORKFLOW_ID}'"
    async with asyncio.timeout(60):
        while True:
            statuses = [execution.status async for execution in eager_client.list_workflows(query)]
            if WorkflowExecutionStatus.TERMINATED in statuses:
                break
            await asyncio.sleep(0.1)
    assert statuses.count(WorkflowExecutionStatus.CONTINUED_AS_NEW) >= 2


async def test_starting_twice_leaves_one_loop(eager_client: Client) -> None:
    await start_delivery(eager_client)
    first = (await handle(eager_client).describe()).run_id
    await start_delivery(eager_client)
    assert (await handle(eager_client).describe()).run_id == first
    await handle(eager_client).terminate("end of test")


def test_without_rules_nothing_is_polled_for_notifications() -> None:
    queues = list(TaskQueue)
    assert TaskQueue.NOTIFICATIONS not in served(Settings(), queues)
    assert served(Settings(notification_rules=Path("rules.yaml")), queues) == queues


async def test_the_end_of_a_row_reaches_a_webhook_with_its_board(
    eager_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    monkeypatch.setenv("HOOK_SECRET", "correct horse")
    async with receiver([(503, {})]) as hook, asyncio.timeout(60):
        monkeypatch.setenv("HOOK_URL", hook.url)
        rules.write_text(
            "channels: {hook: {kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET}}\n"
            "routes: [{name: payments, board: pay*, events: [end], channels: [hook]}]\n"
        )
        prism = Installation(tmp_path, eager_client, lambda request: "An answer.", rules)
        async with prism.worker():
            run = await prism.start("id,objective,board,notify\na,One,payments,ana\nb,Two,search,\n")
            await run.result()
            await start_delivery(eager_client)
            while prism.query("SELECT state FROM deliveries") != [{"state": "delivered"}]:
                await asyncio.sleep(0.05)
            await handle(eager_client).terminate("end of test")
    first, second = hook.requests
    assert (first.key, first.body) == (second.key, second.body)
    verify_webhook(b"correct horse", second.headers, second.body)
    [item] = second.document["notifications"]
    assert (item["row"], item["board"], item["event"], item["recipients"]) == ("a", "payments", "end", ["ana"])
    history = (await handle(eager_client).fetch_history()).to_json()
    assert not any(secret in history for secret in ("hunter2", "correct horse", str(hook.port)))
