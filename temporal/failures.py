"""Failures as Temporal stores them: in Prism's error language, without the values of secrets."""

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from temporal.errors import PrismError
from temporal.redaction import PROCESS


class RedactedFailures(DefaultFailureConverter):
    """Redacts messages, stack traces and details of a failure and of all its causes."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write an exception into a failure."""
        super().to_failure(exception, payload_converter, failure)
        redact(failure)


class EncodedFailures(DefaultFailureConverterWithEncodedAttributes):
    """Redacts likewise, and moves messages and stack traces where the codec reaches them.

    Faults of the codec itself are final.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write an exception into a failure."""
        if isinstance(exception, PrismError):
            # An activity's arguments are decoded before ErrorInterceptor could translate what goes wrong.
            exception = ApplicationError(
                exception.message, exception.details, type=exception.code, non_retryable=not exception.retryable
            )
        super().to_failure(exception, payload_converter, failure)
        redact(failure)


def redact(failure: Failure) -> None:
    """Take the values of secrets out of a failure and its causes, before a codec sees it."""
    failure.message = PROCESS.redacted(failure.message)
    failure.stack_trace = PROCESS.redacted(failure.stack_trace)
    if failure.HasField("encoded_attributes"):
        _redact_payload(failure.encoded_attributes)
    for details in (failure.application_failure_info.details, failure.canceled_failure_info.details):
        for payload in details.payloads:
            _redact_payload(payload)
    if failure.HasField("cause"):
        redact(failure.cause)


def _redact_payload(payload: Payload) -> None:
    # Within JSON, a mask is as good a text as any.
    if payload.metadata.get("encoding", b"").startswith(b"json/"):
        payload.data = PROCESS.redacted(payload.data.decode()).encode()
