"""Which of a provider's failures a retry could help, told from litellm's exceptions without importing it."""

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from activities.llm.contracts import ModelMisconfigured, ModelRefused, ModelUnavailable, PromptTooLong
from activities.llm.groups import Deployment
from temporal.redaction import PROCESS

# By class, as litellm gives some of them a status of its own invention.
_REFUSED: Final = frozenset(
    {
        "BadRequestError",
        "ContentPolicyViolationError",
        "UnprocessableEntityError",
        "UnsupportedParamsError",
    }
)
_TOO_LONG: Final = frozenset({"ContextWindowExceededError"})
# What is wrong is the deployment, its key or its name: another one may answer the same request.
_WRONG_KEY: Final = frozenset({"AuthenticationError", "NotFoundError", "PermissionDeniedError"})
_MISCONFIGURED: Final = frozenset({401, 402, 403, 404})
# Of the 3xx and 4xx, those that time can heal: request timeout, conflict, too early, too many requests.
_PASSING: Final = frozenset({408, 409, 425, 429})
_MESSAGE_LIMIT: Final = 500
# A provider that names a longer wait is asked again after this one.
_LONGEST_WAIT_SECONDS: Final = 900.0


def provider_fault(error: Exception, deployment: Deployment) -> ModelRefused | ModelUnavailable:
    """Return our fault for litellm's.

    Args:
        error: What litellm raised.
        deployment: Who was asked; its key never appears in the message.

    Returns:
        ``PromptTooLong`` where another model may read more, ``ModelMisconfigured`` where only this deployment is at
        fault, ``ModelRefused`` for a redirect or another 4xx of our own making, else ``ModelUnavailable`` with
        ``retry_after`` (seconds) where the provider named it. Each with the ``status`` of the answer, where there was
        one.
    """
    message = f"{deployment.model}: {_scrubbed(str(error), deployment)}"
    status = getattr(error, "status_code", None)
    ours = isinstance(status, int) and 300 <= status < 500 and status not in _PASSING  # noqa: PLR2004 -- HTTP's
    kind = type(error).__name__
    details: dict[str, Any] = {"model": deployment.model}
    if (answered := _status(error)) is not None:
        details["status"] = answered
    if kind in _TOO_LONG:
        return PromptTooLong(message, **details)
    if status in _MISCONFIGURED or kind in _WRONG_KEY:
        return ModelMisconfigured(message, **details)
    if ours or kind in _REFUSED:
        return ModelRefused(message, **details)
    after = _retry_after(error)
    if after is not None:
        details["retry_after"] = after
    return ModelUnavailable(message, **details)


def _status(error: BaseException | None) -> int | None:
    """Return the status that the provider answered with; litellm's own stands for faults without an answer too."""
    while error is not None:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code
        error = error.__cause__ or error.__context__
    return None


def _retry_after(error: Exception) -> float | None:
    """Return the seconds of a ``Retry-After`` header, which holds seconds or a date; ``None`` for none or no wait."""
    response = getattr(error, "response", None)
    for headers in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
        text = (headers or {}).get("retry-after")
        if text is None:
            continue
        if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
            seconds = float(text)
        else:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time.time()
            except (ValueError, OverflowError):
                continue
        return min(seconds, _LONGEST_WAIT_SECONDS) if seconds > 0 else None
    return None


def _scrubbed(message: str, deployment: Deployment) -> str:
    """Return a provider's message without the key, which some providers repeat."""
    if deployment.api_key:
        message = message.replace(deployment.api_key.get_secret_value(), "***")
    # Before it is cut: what is left of a value is not found any more.
    return PROCESS.redacted(message)[:_MESSAGE_LIMIT]
