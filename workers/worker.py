"""A worker process: connects to Temporal, builds the activities of its queues, and polls until told to stop."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Interceptor, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.artifacts.files import Files
from activities.experiments.placing import SqlPlacing
from activities.knowledge.activity import KnowledgeActivities
from activities.llm.activity import ModelActivities
from activities.llm.gateway_client import GatewayCompletion
from activities.notifications.activity import NotificationActivities
from activities.notifications.inbox import InboxNotifier
from activities.planning.activity import PlanningActivities
from activities.plans.activity import PlanActivities
from activities.policy.activity import PolicyActivities
from activities.prompts.activity import PromptActivities
from activities.provenance.activity import ProvenanceActivities
from activities.records.activity import RecordActivities
from activities.records.journal import SqlStepJournal, StepJournalInterceptor
from activities.records.queries import RecordQueries
from activities.reviews.activity import ReviewActivities
from activities.reviews.planner import RulePlanner
from activities.reviews.register import SqlReviewRegister
from activities.reviews.rules_file import load_approval_rules
from activities.routing.activity import RoutingActivities
from activities.sandbox.activity import SandboxActivities
from activities.sandbox.results import SqlProgramResults
from activities.scans.activity import CodeScanActivities, ScanActivities
from activities.scans.code import FolderCodeScanner
from activities.scans.file_activity import FileScanActivities
from activities.scans.files import FilesScanner
from activities.scans.folder_activity import FolderScanActivities
from activities.scans.register import SqlScanRegister
from activities.scans.repository import RepositoryScanner
from activities.secrets.rotation import RotationActivities
from activities.secrets.rows import RowSecrets
from activities.teams.activity import TeamActivities
from activities.tools.activity import ToolActivities
from activities.verification.activity import VerificationActivities
from temporal.client import TemporalUnavailable, connect
from temporal.errors import InvalidSettings
from temporal.interceptors import ErrorInterceptor
from temporal.logs import configure_logging
from temporal.names import TaskQueue
from workers.agents import open_library, open_windows
from workers.audit import open_audit, open_checkpointer
from workers.budgets import open_watch
from workers.compose import Stores, open_stores
from workers.experiments import open_experiment_watch
from workers.feedback import training_data
from workers.models import keyless_models, open_planner
from workers.notifications import delivery_activities, notification_rules, start_delivery
from workers.policy import open_policy
from workers.policy_journal import open_journal
from workers.provenance import open_signer, run_seals
from workers.reflections import reading_now, reflections
from workers.sandbox import open_sandbox
from workers.scans import installed_scanners, open_secret_scanner
from workers.schedules import register_reflections, register_scans, register_schedules, register_training
from workers.secrets import open_keeping, open_secrets, own_keys
from workers.settings import Settings
from workers.terminations import Terminations
from workflows.catalog import CatalogWorkflow
from workflows.delivery import DeliveryWorkflow
from workflows.reflection import ReflectionWorkflow
from workflows.rotation import SecretRotationWorkflow
from workflows.row import RowWorkflow
from workflows.scanning import FolderScanWorkflow
from workflows.training import TrainingDataWorkflow

Activities = list[Callable[..., Any]]

log = logging.getLogger("prism.worker")

ALL_QUEUES: tuple[TaskQueue, ...] = tuple(TaskQueue)
LOOPS = (DeliveryWorkflow, SecretRotationWorkflow, FolderScanWorkflow, TrainingDataWorkflow)
WORKFLOWS = (CatalogWorkflow, RowWorkflow, ReflectionWorkflow, *LOOPS)
CONNECT_SECONDS = 1.0
# A program in the sandbox uses a core.
SLOTS = {
    TaskQueue.WORKFLOWS: 100,
    TaskQueue.SANDBOX: max(2, os.cpu_count() or 2),
    # Each scan is up to five processes that read rules for seconds.
    TaskQueue.SCANS: 2,
    TaskQueue.NOTIFICATIONS: 4,
}
# Programs in a cluster use cores there; here each only waits.
REMOTE_SANDBOX_SLOTS = 64
# Quick activities end by themselves within this; a model call goes on in the gateway whatever happens here.
GRACE = timedelta(seconds=5)
# The SDK waits for half a minute where the server is gone, as when both are stopped together.
STOP_SECONDS = 8

# Workflow modules are re-imported for each workflow run unless they pass through; they hold no state at module
# level, and the sandbox still refuses clocks, randomness and I/O at run time.
WORKFLOW_RUNNER = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())


async def run_worker(settings: Settings, queues: Sequence[TaskQueue] = ALL_QUEUES) -> None:
    """Serve task queues until SIGTERM or SIGINT; what is under way then is finished or handed back.

    Args:
        settings: The process's settings.
        queues: Queues to poll.
    """
    queues = served(settings, queues)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        loop.call_later(STOP_SECONDS, _end_now)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    client = await _connected(settings, stop)
    if client is None:
        return
    stores = open_stores(settings)
    async with AsyncExitStack() as stack:
        for worker in await build_workers(settings, client, stores, queues, stack):
            await stack.enter_async_context(worker)
        log.info("polling %s", ", ".join(queues))
        if TaskQueue.NOTIFICATIONS in queues:
            await start_delivery(client)
        if TaskQueue.WORKFLOWS in queues:
            await _register_schedules(client, settings)
            terminations = Terminations(client, stores.keeper, RecordQueries(stores.engine))
            budgets = open_watch(settings, client, stores.engine)
            checkpointer = open_checkpointer(settings, stores.engine)
            policies = await open_journal(settings, stores.engine, stack)
            experiments = open_experiment_watch(settings, stores.engine)
            watches = (terminations, checkpointer, budgets, policies, experiments)
            await asyncio.gather(*(each.watch(stop) for each in watches))
        await stop.wait()


async def _register_schedules(client: Client, settings: Settings) -> None:
    try:
        await register_schedules(client)
        await register_training(client, wanted=settings.pairs_wanted > 0)
        await register_reflections(client, settings.reflected_agents)
        await register_scans(client, settings.scanned_folders, settings.scan_every_hours)
    except RPCError as error:
        # A cluster may let workers run rows and make no schedules.
        log.warning("schedules could not be registered (%s); have an administrator do it", error.message)


def _end_now() -> None:
    """End a stop that waits for a Temporal server that is gone; what it had not confirmed is given to others anyway."""
    log.warning("the Temporal server did not take leave within %d s; ending without it", STOP_SECONDS)
    logging.shutdown()
    os._exit(0)


def served(settings: Settings, queues: Sequence[TaskQueue]) -> list[TaskQueue]:
    """Return the queues there is something to do for: notifications leave the house only where rules say so."""
    return [queue for queue in queues if queue is not TaskQueue.NOTIFICATIONS or settings.notification_rules]


async def build_workers(
    settings: Settings, client: Client, stores: Stores, queues: Sequence[TaskQueue], stack: AsyncExitStack
) -> list[Worker]:
    """Return one worker per queue, its backends' lifetimes owned by the stack."""
    journal = await stack.enter_async_context(SqlStepJournal(stores.engine))
    interceptors: list[Interceptor] = [StepJournalInterceptor(journal), ErrorInterceptor()]
    builders = {
        TaskQueue.WORKFLOWS: local_activities,
        TaskQueue.MODEL: model_activities,
        TaskQueue.SANDBOX: sandbox_activities,
        TaskQueue.SCANS: scan_activities,
        TaskQueue.NOTIFICATIONS: delivery_activities,
    }
    return [
        new_worker(client, queue, await builders[queue](settings, stores, stack), interceptors, settings)
        for queue in queues
    ]


def new_worker(
    client: Client,
    queue: TaskQueue,
    activities: Activities,
    interceptors: Sequence[Interceptor],
    settings: Settings,
) -> Worker:
    """Return a worker for one queue."""
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS if queue is TaskQueue.WORKFLOWS else [],
        activities=activities,
        workflow_runner=WORKFLOW_RUNNER,
        interceptors=interceptors,
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_activities=slots(settings, queue),
        # The server holds it for the queue as a whole, so any number of workers keeps to it together.
        max_task_queue_activities_per_second=settings.model_calls_per_second if queue is TaskQueue.MODEL else None,
        graceful_shutdown_timeout=GRACE,
    )


def slots(settings: Settings, queue: TaskQueue) -> int:
    """Return how many activities of a queue one worker runs at a time."""
    if queue is TaskQueue.SANDBOX and settings.sandbox == "kubernetes":
        return REMOTE_SANDBOX_SLOTS
    return settings.model_slots if queue is TaskQueue.MODEL else SLOTS[queue]


async def local_activities(settings: Settings, stores: Stores, stack: AsyncExitStack) -> Activities:
    """Return the activities of the workflow queue: quick, idempotent, in process."""
    plans = PlanActivities(stores.plans)
    records = RecordActivities(stores.keeper, stores.plans)
    scanner = open_secret_scanner(stack)
    planner = RulePlanner(load_approval_rules(settings.approval_rules))
    reviews = ReviewActivities(planner, SqlReviewRegister(stores.engine), stores.texts)
    signer = await open_signer(settings)
    engine = await open_policy(settings, stack, stores.artifacts)
    models = keyless_models(settings)
    policy = PolicyActivities(engine, stores.plans, planner, stores.texts, models, SqlPlacing(stores.engine))
    planning = PlanningActivities(
        stores.plans, stores.texts, engine, models, lambda: reading_now(settings, stores.engine)
    )
    notifier = InboxNotifier(stores.engine, notification_rules(settings))
    teams = TeamActivities(stores.texts)
    verification = VerificationActivities(stores.texts)
    reflecting = reflections(settings, stores, engine, scanner, notifier)
    return [
        plans.page,
        plans.locate,
        planning.read,
        planning.grow,
        records.open_run,
        records.grow_run,
        records.change_run,
        records.change_rows,
        records.record_row,
        records.row_ending,
        records.steered,
        policy.admit,
        policy.release,
        reviews.open_review,
        reviews.record_review,
        reviews.attach_answers,
        PromptActivities(stores.texts, await open_windows(settings)).compose,
        KnowledgeActivities(open_library(settings), stores.texts).retrieve,
        teams.vote,
        teams.choose,
        teams.list_items,
        verification.verify,
        verification.structure,
        ToolActivities(stores.texts, engine).check,
        RoutingActivities(open_planner(settings, stores.engine, models)).route,
        ScanActivities(scanner, stores.texts).scan,
        ProvenanceActivities(signer, stores.artifacts).seal,
        run_seals(settings, signer, stores).seal_run,
        NotificationActivities(notifier).notify,
        RotationActivities(open_keeping(settings, stores.engine), notifier, own_keys(settings)).rotate_due,
        training_data(settings, stores, notifier).collect,
        reflecting.gather,
        reflecting.settle,
    ]


async def model_activities(settings: Settings, stores: Stores, stack: AsyncExitStack) -> Activities:
    """Return the activities of the model queue."""
    completion = GatewayCompletion(settings.socket, stores.texts)
    stack.push_async_callback(completion.aclose)
    model = ModelActivities(completion, stores.texts)
    return [model.complete, model.judge]


async def sandbox_activities(settings: Settings, stores: Stores, stack: AsyncExitStack) -> Activities:
    """Return the activities of the sandbox queue."""
    secrets = RowSecrets(open_secrets(settings), open_audit(settings, stores.engine))
    engine = await open_policy(settings, stack, stores.artifacts)
    sandbox = await open_sandbox(settings, stack)
    files, results = Files(stores.artifacts), SqlProgramResults(stores.engine)
    return [SandboxActivities(sandbox, stores.texts, engine, secrets, files, results).execute]


async def scan_activities(settings: Settings, stores: Stores, stack: AsyncExitStack) -> Activities:
    """Return the activities of the scan queue."""
    notifier = InboxNotifier(stores.engine, notification_rules(settings))
    register = SqlScanRegister(stores.engine)
    folders = frozenset(settings.scanned_folders)
    scanners = installed_scanners(settings)
    secrets, code = open_secret_scanner(stack), FolderCodeScanner(scanners)
    return [
        FileScanActivities(FilesScanner(secrets, code), stores.artifacts).scan_files,
        CodeScanActivities(code, stores.texts, stores.artifacts).scan_code,
        FolderScanActivities(folders, RepositoryScanner(scanners), register, stores.artifacts, notifier).scan_folder,
    ]


async def _connected(settings: Settings, stop: asyncio.Event) -> Client | None:
    while not stop.is_set():
        try:
            return await connect(settings.temporal)
        except TemporalUnavailable as error:
            log.warning("%s; trying again", error.message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CONNECT_SECONDS)
    return None


def main() -> None:
    """Run a worker for the queues named on the command line, or for all."""
    settings = Settings()
    configure_logging(settings.log_level)
    queues = [TaskQueue(name) for name in sys.argv[1:]] or ALL_QUEUES
    try:
        asyncio.run(run_worker(settings, queues))
    except InvalidSettings as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
