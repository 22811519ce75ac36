"""What a client raises."""

from typing import Any, Self

import httpx

from temporal.errors import PrismError
from temporal.names import ErrorCode


class PrismApiError(PrismError):
    """The API refused a request, or did not answer.

    Args:
        message: What happened and what to do.
        code: The error envelope's code; ``INTERNAL`` for one this version does not know.
        status: HTTP status, 0 when there was no answer.
        details: The error envelope's details.
    """

    def __init__(self, message: str, *, code: ErrorCode, status: int, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, **(details or {}))
        # The base fixes one code a class; here the server chooses it.
        self.code = code  # type: ignore[misc]
        self.status = status

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Return the error of an answer whose body was read."""
        try:
            body = response.json()["error"]
            name, message, details = str(body["code"]), str(body["message"]), dict(body.get("details") or {})
        except (ValueError, KeyError, TypeError):
            url = response.request.url
            return cls(
                f"{url.scheme}://{url.netloc.decode()} answered {response.status_code} without Prism's error "
                "envelope: is it Prism's API?",
                code=ErrorCode.API_UNREACHABLE,
                status=response.status_code,
            )
        if name not in ErrorCode.__members__:
            return cls(message, code=ErrorCode.INTERNAL, status=response.status_code, details={**details, "code": name})
        return cls(message, code=ErrorCode(name), status=response.status_code, details=details)

    @classmethod
    def unreachable(cls, url: str, error: Exception) -> Self:
        """Return the error of a request without an answer."""
        why = str(error) or type(error).__name__
        return cls(
            f"Prism does not answer at {url}: {why}",
            code=ErrorCode.API_UNREACHABLE,
            status=0,
            details={"url": url, "hint": "start it with: prism up"},
        )
