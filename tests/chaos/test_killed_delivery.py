"""A worker that is killed while it delivers: nothing is lost, and nothing is done twice by who keeps the keys."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from temporalio.client import Client

from activities.notifications.contracts import Notification
from activities.notifications.inbox import InboxNotifier
from activities.notifications.rules_file import load_rules
from temporal.address import TemporalAddress
from temporal.contract import StepRef
from temporal.names import DELIVERY_WORKFLOW_ID, TaskQueue
from tests.receiver import Receiver, receiver
from workers.compose import open_stores
from workers.settings import Settings

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180), pytest.mark.xdist_group("delivery")]

NOTES = 40
RULES = """\
channels:
  hook: {kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET}
routes:
  - {name: all, channels: [hook]}
"""


@asynccontextmanager
async def worker(settings: Settings, hook: Receiver) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process of its own, killed with SIGKILL at the end."""
    environment = {
        **os.environ,
        "PRISM_HOME": str(settings.home),
        "PRISM_TEMPORAL_ADDRESS": settings.temporal_address,
        "PRISM_NOTIFICATION_RULES": str(settings.notification_rules),
        "HOOK_URL": hook.url,
        "HOOK_SECRET": "correct horse",
    }
    command = [sys.executable, "-m", "workers.worker", TaskQueue.WORKFLOWS, TaskQueue.NOTIFICATIONS]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


def states(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT DISTINCT state FROM deliveries")))


async def test_a_worker_killed_in_the_middle_of_delivering_loses_and_doubles_nothing(
    tmp_path: Path, dev_server: TemporalAddress, dev_client: Client
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    settings = Settings(home=tmp_path, temporal_address=dev_server.target, notification_rules=rules)
    stores = open_stores(settings)
    inbox = InboxNotifier(stores.engine, load_rules(rules))
    for number in range(NOTES):
        step = StepRef(run="r", row=f"row-{number}", step="notify")
        await inbox.deliver(Notification(step=step, title=f"row-{number} ended"))

    async with receiver([(204, {})] * 20 + ["hang"] * NOTES) as hook, asyncio.timeout(150):
        try:
            async with worker(settings, hook):
                while len(hook.requests) <= 30:
                    await asyncio.sleep(0.02)
            assert "queued" in states(stores.engine)
            hook.script.clear()
            async with worker(settings, hook):
                while states(stores.engine) != ["delivered"]:
                    await asyncio.sleep(0.1)
            executions = [
                execution async for execution in dev_client.list_workflows(f"WorkflowId = '{DELIVERY_WORKFLOW_ID}'")
            ]
            assert len(executions) == 1
        finally:
            await dev_client.get_workflow_handle(DELIVERY_WORKFLOW_ID).terminate("end of test")
    assert len(hook.effects) == NOTES
    assert set(hook.effects.values()) == {1}
    history = await dev_client.get_workflow_handle(DELIVERY_WORKFLOW_ID).fetch_history()
    for secret in ("hunter2", "correct horse", str(hook.port)):
        assert secret not in history.to_json()
