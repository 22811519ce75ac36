"""An installation of Prism for tests: real stores in a folder, real activities, a scripted vendor model."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.llm.activity import ModelActivities
from activities.llm.contracts import ModelAnswer, ModelRequest, ToolCall
from activities.records.journal import SqlStepJournal, StepJournalInterceptor
from catalogs.compiler import compile_catalog
from catalogs.options import ReadOptions
from temporal.contract import row_workflow_id, run_workflow_id
from temporal.interceptors import ErrorInterceptor
from temporal.names import TaskQueue
from workers.agents import installed
from workers.compose import Stores, open_stores
from workers.notifications import delivery_activities
from workers.settings import Settings
from workers.worker import local_activities, new_worker, sandbox_activities, scan_activities
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RUN_REVISION, CatalogRun, RowProgress, RunOptions, RunProgress, RunResult
from workflows.row import RowWorkflow

# The time-skipping server sometimes stops skipping with a timer pending (seen in histories), or jumps to an execution's
# timeout. Each try has a server of its own.
ON_SKIPPING_SERVER = (pytest.mark.flaky(reruns=3), pytest.mark.timeout(45))

# A text, or the tools that are to be called first: name and arguments of each.
Answer = Callable[[ModelRequest], str | list[tuple[str, str]]]
DEADLINE = 60.0


class ScriptedModel:
    """Stands for the gateway: answers by script, in process, and remembers every request."""

    def __init__(self, stores: Stores, answer: Answer) -> None:
        self._stores = stores
        self.answer = answer
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        output = self.answer(request)
        calls = ()
        if isinstance(output, list):
            calls = tuple([await self._call(f"c{place}", *one) for place, one in enumerate(output)])
            output = ""
        return ModelAnswer(
            output=await self._stores.texts.keep(output),
            group=request.group,
            model="test/model",
            cost_usd=0.25,
            calls=calls,
        )

    async def _call(self, call: str, name: str, arguments: str) -> ToolCall:
        return ToolCall(id=call, name=name, arguments=await self._stores.texts.keep(arguments))

    async def prompts(self) -> list[str]:
        return [await self._stores.texts.read(request.prompt) for request in self.requests]


class Run:
    """A run under test."""

    def __init__(self, client: Client, run: str, handle: WorkflowHandle[CatalogWorkflow, RunResult]) -> None:
        self.client = client
        self.run = run
        self.handle = handle

    def row(self, row: str) -> WorkflowHandle[RowWorkflow, Any]:
        return self.client.get_workflow_handle_for(RowWorkflow.run, row_workflow_id(self.run, row))

    async def result(self) -> RunResult:
        try:
            return await self.handle.result()
        except WorkflowFailureError as error:
            if isinstance(error.cause, ApplicationError):
                return RunResult.model_validate(error.cause.details[0])
            raise

    async def progress(self) -> RunProgress:
        return await self.handle.query(CatalogWorkflow.progress)

    async def row_reaches(self, row: str, condition: Callable[[RowProgress], bool]) -> RowProgress:
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    progress = await self.row(row).query(RowWorkflow.progress)
                    if condition(progress):
                        return progress
                except Exception as error:  # noqa: BLE001 -- not started yet, or its first task is under way
                    last = error
                    assert last
                await asyncio.sleep(0.02)


class Installation:
    """Stores in a folder, and a client of some Temporal server; notifications leave it where there are rules."""

    def __init__(
        self, home: Path, client: Client, answer: Answer, rules: Path | None = None, approvals: Path | None = None
    ) -> None:
        self._open(Settings(home=home, notification_rules=rules, approval_rules=approvals), client, answer)

    @classmethod
    def with_settings(cls, settings: Settings, client: Client, answer: Answer) -> "Installation":
        """Return an installation that is set up otherwise."""
        installation = cls.__new__(cls)
        installation._open(settings, client, answer)
        return installation

    def _open(self, settings: Settings, client: Client, answer: Answer) -> None:
        self.settings = settings
        self.client = client
        self.stores = open_stores(settings)
        self.model = ScriptedModel(self.stores, answer)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Serve all queues in this process."""
        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(SqlStepJournal(self.stores.engine))
            interceptors = [StepJournalInterceptor(journal), ErrorInterceptor()]
            model = ModelActivities(self.model, self.stores.texts)
            queues = {
                TaskQueue.WORKFLOWS: await local_activities(self.settings, self.stores, stack),
                TaskQueue.MODEL: [model.complete, model.judge],
                TaskQueue.SANDBOX: await sandbox_activities(self.settings, self.stores, stack),
                TaskQueue.SCANS: await scan_activities(self.settings, self.stores, stack),
            }
            if self.settings.notification_rules:
                queues[TaskQueue.NOTIFICATIONS] = await delivery_activities(self.settings, self.stores, stack)
            for queue, activities in queues.items():
                await stack.enter_async_context(new_worker(self.client, queue, activities, interceptors, self.settings))
            yield

    async def start(self, csv: str, **options: Any) -> Run:
        """Compile a catalog and start its run."""
        reading = ReadOptions(experiments=None).model_copy(update=installed(self.settings))
        compiled = compile_catalog(io.BytesIO(csv.encode()), "test", self.stores.artifacts.write, reading)
        run = uuid.uuid4().hex[:12]
        request = CatalogRun(
            run=run,
            plan=compiled.digest,
            title="test",
            total=compiled.plan.total,
            page_rows=compiled.plan.page_rows,
            submitter="tester",
            options=RunOptions(**options),
            revision=RUN_REVISION,
        )
        return await self.start_run(request)

    async def start_run(self, request: CatalogRun) -> Run:
        handle = await self.client.start_workflow(
            CatalogWorkflow.run, request, id=run_workflow_id(request.run), task_queue=TaskQueue.WORKFLOWS
        )
        return Run(self.client, request.run, handle)

    def query(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Read the records database."""
        with self.stores.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), parameters).mappings()]

    def states(self, run: Run) -> dict[str, str]:
        """Return the recorded state of each row."""
        rows = self.query("SELECT row, state FROM rows WHERE run = :run ORDER BY position", run=run.run)
        return {row["row"]: row["state"] for row in rows}
