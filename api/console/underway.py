"""What a row that has not ended did so far: its record is written at its end, its workflow knows before."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from activities.llm.contracts import ModelAnswer
from activities.llm.partial import heard_so_far
from activities.records.contracts import StepRecord, StepState
from activities.records.tables import CallRow
from activities.records.views import RowDetail, StepView
from api.services import Services
from temporal.contract import StepRef, row_workflow_id
from workflows.contracts import RowProgress
from workflows.row import RowWorkflow

QUERY_SECONDS: Final = 1.5
_CALLS = CallRow.__table__  # type: ignore[attr-defined]


async def up_to_now(services: Services, row: RowDetail) -> RowDetail:
    """Return a row with what its workflow knows, where it answers, and what a model has said so far."""
    if row.state.ended:
        return row
    unrecorded = row.output is None
    if progress := await _progress(services, row):
        row = await _as_told(services, row, progress)
    if unrecorded and (asking := under_way(row.steps)):
        # Of a second draft what is there of it so far; the first one until then.
        said = await heard_so_far(services.settings.socket, _key(row, asking))
        row = row.model_copy(update={"output": said}) if said else row
    return row


async def _as_told(services: Services, row: RowDetail, progress: RowProgress) -> RowDetail:
    told = [StepView.model_validate(step.model_dump() | {"attempt": row.attempt}) for step in progress.steps]
    known = {(step.attempt, step.step, step.ordinal) for step in told}
    noted = [step for step in row.steps if (step.attempt, step.step, step.ordinal) not in known]
    findings: list[object] = []
    update: dict[str, object] = {"steps": [*told, *noted], "findings": findings}
    for step in progress.steps:
        if step.step in {"verification", "judge"} and "verdicts" in step.detail:
            update["verdicts"] = step.detail["verdicts"]
        if step.step == "scan":
            findings.clear()  # of an earlier draft
        if step.step in {"scan", "code-scan", "files-scan"}:
            findings.extend(step.detail.get("findings", []))
    answers = [step for step in progress.steps if step.step == "model"]
    if answers and row.output is None:
        answer = await _answer(services, row, answers[-1])
        if answer is not None:
            update["output"] = await services.stores.texts.read(answer.output)
            update["output_digest"] = answer.output.digest
            update["model"] = answer.model
    return row.model_copy(update=update)


async def _progress(services: Services, row: RowDetail) -> RowProgress | None:
    handle = services.temporal.get_workflow_handle_for(RowWorkflow.run, row_workflow_id(row.run, row.row))
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            return await handle.query(RowWorkflow.progress, rpc_timeout=timedelta(seconds=QUERY_SECONDS))
    except (TimeoutError, RuntimeError, RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None


async def _answer(services: Services, row: RowDetail, step: StepRecord) -> ModelAnswer | None:
    """Return the answer of a model step from the ledger of calls: small outputs are artifacts only at the row's end."""
    key = _key(row, step)

    def read() -> object:
        with services.stores.engine.connect() as connection:
            # What the call's prompt held besides is part of its key, and known to the row's workflow alone.
            whichever = (_CALLS.c.key == key) | _CALLS.c.key.startswith(f"{key}/", autoescape=True)
            newest = select(_CALLS.c.answer).where(whichever).order_by(_CALLS.c.started_at.desc()).limit(1)
            return connection.scalar(newest)

    stored = await asyncio.to_thread(read)
    return ModelAnswer.model_validate(stored) if stored else None


def under_way(steps: Sequence[StepView]) -> StepView | None:
    """Return the model call that is under way, if one is."""
    asking = [step for step in steps if step.step == "model" and step.state is StepState.RUNNING]
    return asking[-1] if asking else None


def _key(row: RowDetail, step: StepRecord | StepView) -> str:
    return StepRef(run=row.run, row=row.row, step=step.step, ordinal=step.ordinal).key
