"""One error envelope for every fault: ``{"error": {code, message, details, trace_id, timestamp}}``."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Scope

from activities.records.database import timestamp
from temporal.errors import PrismError
from temporal.names import ErrorCode

Refused = Callable[[Request, PrismError], Awaitable[None]]


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    details: dict[str, Any] = {}
    trace_id: str
    timestamp: str


class ErrorEnvelope(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorBody


class NotFound(PrismError):
    """There is no such thing."""

    code: ClassVar[ErrorCode] = ErrorCode.NOT_FOUND


class Conflict(PrismError):
    """It cannot be done in the state things are in."""

    code: ClassVar[ErrorCode] = ErrorCode.CONFLICT


class BadRequest(PrismError):
    """The request cannot be understood."""

    code: ClassVar[ErrorCode] = ErrorCode.BAD_REQUEST


class UnsupportedMediaType(PrismError):
    """The body is of a type that is not taken here."""

    code: ClassVar[ErrorCode] = ErrorCode.UNSUPPORTED_MEDIA_TYPE


STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.INVALID_CREDENTIALS: 401,
    ErrorCode.TOKEN_REUSED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_A_REVIEWER: 403,
    ErrorCode.OWN_ROW: 403,
    ErrorCode.POLICY_DENIED: 403,
    ErrorCode.POLICY_CHANGED: 409,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.ARTIFACT_NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.PAYLOAD_TAMPERED: 422,
    ErrorCode.UNKNOWN_ENCRYPTION_KEY: 422,
    ErrorCode.CONFLICT: 409,
    ErrorCode.REVIEW_NOT_OPEN: 409,
    ErrorCode.STALE_ROUND: 409,
    ErrorCode.ALREADY_DECIDED: 409,
    ErrorCode.CLAIMED: 409,
    ErrorCode.INVALID_LINK: 410,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.VALIDATION_FAILED: 422,
    ErrorCode.UNKNOWN_MODEL: 422,
    ErrorCode.INVALID_CATALOG: 422,
    ErrorCode.INVALID_DECISION: 422,
    ErrorCode.PROVENANCE_INVALID: 422,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.AUDIT_TAMPERED: 500,
    ErrorCode.SECRET_NOT_FOUND: 404,
    ErrorCode.INVALID_SECRET: 400,
    ErrorCode.SECRETS_FORBIDDEN: 502,
    ErrorCode.SECRETS_UNAVAILABLE: 503,
    ErrorCode.TEMPORAL_UNAVAILABLE: 503,
    ErrorCode.MODEL_UNAVAILABLE: 503,
    ErrorCode.POLICY_UNAVAILABLE: 503,
    ErrorCode.PROVIDER_UNAVAILABLE: 503,
    ErrorCode.RECORDS_UNAVAILABLE: 503,
    ErrorCode.SCANNER_FAILED: 503,
}
CODES = {
    400: ErrorCode.BAD_REQUEST,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.BODY_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
}
LAZY_CONNECT_FAILED = "Failed client connect"
MEANINGS = {
    400: "The request cannot be understood",
    401: "Nobody is authenticated, or not any more",
    403: "Refused: not allowed to you or by policy, or a foreign origin or host",
    404: "There is no such thing",
    409: "Not possible in the state things are in",
    413: "The body is too large",
    415: "The body is of a type that is not taken here",
    422: "The values are not valid",
    429: "Too many requests; Retry-After says when the next is taken",
    502: "The server of secrets refuses this installation",
    503: "Temporal, the policy or the records database does not answer",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route's errors; 400, 401, 403, 413 and 429 can happen everywhere."""
    return {
        status: {"model": ErrorEnvelope, "description": MEANINGS[status]}
        for status in sorted({400, 401, 403, 413, 429, *statuses})
    }


def envelope(
    request: Request, status: int, code: ErrorCode, message: str, details: dict[str, Any] | None = None
) -> JSONResponse:
    """Return an error answer."""
    body = ErrorBody(
        code=code,
        message=message,
        details=details or {},
        trace_id=_trace(request),
        timestamp=timestamp(),
    )
    headers = {}
    if code is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if code is ErrorCode.TOO_MANY_REQUESTS:
        headers["retry-after"] = str(body.details.get("retry_after", 1))
    return JSONResponse({"error": body.model_dump()}, status_code=status, headers=headers)


def route_pattern(scope: Scope) -> str:
    """Return the pattern that a request's path met, few of them whatever is asked for; empty when it met none."""
    # FastAPI knows a route of an included router by its own path; the one with the prefix is in the context.
    context = scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path", None) or getattr(scope.get("route"), "path", None) or "")


def value_faults(found: Sequence[Any]) -> tuple[list[dict[str, str]], str]:
    """Return where pydantic found which faults, and the first of them as one line; never the values."""
    faults = [
        {
            "where": ".".join(str(part) for part in fault["loc"]) or "body",
            "message": fault["msg"].removeprefix("Value error, "),
        }
        for fault in found
    ]
    return faults, "; ".join(f"{fault['where']}: {fault['message']}" for fault in faults[:3])


def _trace(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))


def install_error_handlers(app: FastAPI, refused: Refused) -> None:
    """Give every fault its envelope; what nobody foresaw gets it from the gatekeeper.

    Args:
        app: The application.
        refused: Is told of everything that somebody may not do.
    """

    @app.exception_handler(PrismError)
    async def prism_error(request: Request, error: PrismError) -> JSONResponse:
        if error.code is ErrorCode.FORBIDDEN:
            await refused(request, error)
        return envelope(request, STATUS.get(error.code, 500), error.code, error.message, error.details)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, ErrorCode.BAD_REQUEST)
        answer = envelope(request, error.status_code, code, str(error.detail))
        answer.headers.update(error.headers or {})
        methods = request.app.openapi()["paths"].get(route_pattern(request.scope))
        if code is ErrorCode.METHOD_NOT_ALLOWED and methods:
            # The framework names the methods of a path's first route only.
            answer.headers["allow"] = ", ".join(sorted(methods)).upper()
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        faults, told = value_faults(error.errors())
        return envelope(request, 422, ErrorCode.VALIDATION_FAILED, told, {"faults": faults})

    @app.exception_handler(RuntimeError)
    async def unconnected(request: Request, error: RuntimeError) -> JSONResponse:
        # The SDK's lazy client raises this bare, wherever it is first used while the server is away.
        if not str(error).startswith(LAZY_CONNECT_FAILED):
            raise error
        message = "the Temporal server does not answer; try again when it is up"
        return envelope(request, 503, ErrorCode.TEMPORAL_UNAVAILABLE, message)
