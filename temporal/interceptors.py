"""Turns PrismError into the ApplicationError of the same code, so that the error language crosses the wire."""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from temporal.errors import PrismError


class ErrorInterceptor(Interceptor):
    """Gives every activity's PrismError its code and says whether a retry could help."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap an activity's execution."""
        return _TranslateErrors(next)


class _TranslateErrors(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 -- the SDK's signature
        try:
            return await self.next.execute_activity(input)
        except PrismError as error:
            after = error.details.get("retry_after")
            raise ApplicationError(
                error.message,
                error.details,
                type=error.code,
                non_retryable=not error.retryable,
                next_retry_delay=timedelta(seconds=float(after)) if after is not None else None,
            ) from error
