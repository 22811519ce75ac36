"""From bytes to a run: compile, ask the policy, choose the run id, start the workflow."""

import asyncio
import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import BinaryIO, Final

from temporalio.client import WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.identity.contracts import Forbidden
from activities.policy.catalog_admission import admit_catalog
from activities.records.contracts import RunOpening, RunState
from activities.records.database import timestamp
from activities.records.views import RunView
from api.errors import Conflict
from api.estimate_models import Estimate
from api.estimating import estimate
from api.models import Submitted
from api.services import Services
from catalogs.compiler import CompiledCatalog, compile_catalog
from catalogs.options import ReadOptions
from temporal import search_attributes
from temporal.client import TemporalUnavailable
from temporal.contract import run_workflow_id
from temporal.names import TaskQueue
from workflows.catalog import CatalogWorkflow
from workflows.contracts import RUN_REVISION, CatalogRun, RunOptions, RunResult

RUN_ID_LENGTH = 16
RECORDING_SECONDS = 5.0
RECORDING_PAUSE = 0.05


@dataclass(frozen=True)
class Submitter:
    """Who submits.

    Args:
        name: As it is recorded.
        boards: The boards they may submit for; ``None`` means all.
    """

    name: str
    boards: frozenset[str] | None = None


NOBODY: Final = Submitter("")


async def submit(
    services: Services,
    source: BinaryIO,
    *,
    title: str,
    options: ReadOptions,
    run: str | None = None,
    idempotency_key: str | None = None,
    run_options: RunOptions,
    submitter: Submitter = NOBODY,
) -> Submitted:
    """Start a catalog's run, or return the run that the same submission started before.

    Args:
        services: The process's services.
        source: The catalog's bytes.
        title: What the run is called.
        options: How the file is read.
        run: Run id of the client's choice.
        idempotency_key: With the catalog's digest it makes the run id; the same key gives the same run.
        run_options: How the run is run.
        submitter: Who submits.

    Raises:
        InvalidCatalog: The catalog has errors.
        Forbidden: It has rows of other boards.
        Conflict: The run id belongs to another catalog.
        CatalogDenied: The policy does not let it start.
        PolicyUnavailable: The policy could not be asked.
        TemporalUnavailable: The Temporal server does not answer.
    """
    compiled = await asyncio.to_thread(compile_catalog, source, title, services.stores.artifacts.write, options)
    if submitter.boards is not None:
        await _within(services, compiled, submitter.boards)
    identity = run or _derived(compiled, idempotency_key or uuid.uuid4().hex)
    recorded = await _recorded(services, identity, compiled)
    request = CatalogRun(
        run=identity,
        plan=compiled.digest,
        title=title,
        total=compiled.plan.total,
        page_rows=compiled.plan.page_rows,
        submitter=submitter.name,
        options=run_options,
        revision=RUN_REVISION,
    )
    created = False
    # The policy is asked about what would start, not again about what did: it may have changed since.
    # Temporal forgets ended workflows after a while; the records do not.
    if recorded is None or recorded.state is RunState.SUBMITTED:
        await admit_catalog(
            services.policy, services.audit.write, identity, compiled, submitter.name, run_options.policy
        )
        created = await start(services, request)
        if created:
            # The workflow records its run too; here it is listed at once, and only once it is sure to run.
            await services.stores.keeper.open_run(
                RunOpening(
                    run=identity,
                    plan=compiled.digest,
                    title=title,
                    submitter=submitter.name,
                    started_at=timestamp(),
                    budget_usd=run_options.budget_usd,
                    policy=run_options.policy,
                )
            )
        else:
            await _recorded_by_another(services, identity, compiled)
    return Submitted(
        run=identity,
        created=created,
        total=compiled.plan.total,
        warnings=list(compiled.warnings),
        left_out=list(compiled.left_out),
        rows_left_out=compiled.rows_left_out,
        links={"self": f"/api/v1/runs/{identity}", "console": f"/runs/{identity}"},
        estimate=await _estimated(services, compiled, run_options, submitter) if created else None,
    )


async def _estimated(
    services: Services, compiled: CompiledCatalog, options: RunOptions, submitter: Submitter
) -> Estimate | None:
    return await estimate(services, compiled.demands, options, with_budgets=submitter.boards is None)


async def start(services: Services, request: CatalogRun) -> bool:
    """Start a run's workflow; returns whether it was not there before.

    A run that ended is started again only to retry its rows.
    """
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE if request.retry else WorkflowIDReusePolicy.REJECT_DUPLICATE
    try:
        handle: WorkflowHandle[CatalogWorkflow, RunResult] = await services.temporal.start_workflow(
            CatalogWorkflow.run,
            request,
            id=run_workflow_id(request.run),
            task_queue=TaskQueue.WORKFLOWS,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=reuse,
            memo={"title": request.title},
            static_summary=request.title,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search_attributes.RUN, request.run),
                    SearchAttributePair(search_attributes.STATUS, RunState.RUNNING.value),
                ]
            ),
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise TemporalUnavailable(f"the Temporal server did not take the run: {error.message}") from error
    return handle.first_execution_run_id is not None


async def _recorded(services: Services, run: str, compiled: CompiledCatalog) -> RunView | None:
    """Return the run of this id, if there is one; it must be of the same catalog."""
    recorded = await services.queries.run(run)
    if recorded is not None and recorded.plan != compiled.digest:
        raise Conflict(f"run {run} belongs to another catalog", run=run, plan=recorded.plan)
    return recorded


async def _recorded_by_another(services: Services, run: str, compiled: CompiledCatalog) -> None:
    """Wait until the run that another submission has started just now is recorded: only then its catalog is known."""
    deadline = time.monotonic() + RECORDING_SECONDS
    while await _recorded(services, run, compiled) is None:
        if time.monotonic() > deadline:
            raise Conflict(f"run {run} was started, but is not recorded yet; send it again", run=run)
        await asyncio.sleep(RECORDING_PAUSE)


async def _within(services: Services, compiled: CompiledCatalog, boards: frozenset[str]) -> None:
    for number in range(len(compiled.plan.pages)):
        for planned in (await services.stores.plans.page(compiled.digest, number)).rows:
            if planned.row.board not in boards:
                what = f"board {planned.row.board!r}" if planned.row.board else "no board"
                raise Forbidden(f"you may not submit rows of {what}, such as {planned.row.id}", row=planned.row.id)


def _derived(compiled: CompiledCatalog, key: str) -> str:
    digest = hashlib.sha256(f"{compiled.plan.source}\n{compiled.digest}\n{key}".encode())
    return digest.hexdigest()[:RUN_ID_LENGTH]
