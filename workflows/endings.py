"""How a row's workflow ends: what an error means for the row, and that its end is told whatever happens meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.records.contracts import RowState
    from temporal.names import ErrorCode
    from workflows.contracts import RowResult
    from workflows.draft import RowEnded

Result = TypeVar("Result")


def end_of(error: ActivityError | ApplicationError) -> RowEnded:
    """Return what an activity's final failure means for its row; a local activity's comes without one around it."""
    if is_cancelled_exception(error):
        return RowEnded(RowState.CANCELLED, ErrorCode.CANCELLED, "cancelled")
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.type in set(ErrorCode):
        return RowEnded(RowState.FAILED, ErrorCode(cause.type), cause.message)
    what = f"{error.activity_type}: " if isinstance(error, ActivityError) else ""
    return RowEnded(RowState.FAILED, ErrorCode.INTERNAL, f"{what}{cause or error}")


async def despite_cancellation(closing: Coroutine[Any, Any, Result]) -> Result:
    """Finish closing although a cancellation arrives meanwhile: what has happened gets recorded."""
    task = asyncio.create_task(closing)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise


def fail(result: RowResult) -> NoReturn:
    """Fail the workflow of a row that did not succeed, with its result as the detail."""
    if result.state is RowState.CANCELLED:
        raise asyncio.CancelledError
    raise ApplicationError(result.message, result, type=result.code or ErrorCode.INTERNAL, non_retryable=True)
