"""What every request passes: its id, who may send it, how large it may be, headers, metrics and the access log."""

import json
import logging
import time
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activities.records.database import timestamp
from activities.reviews.links import DECIDE_PAGE
from api.codec_origin import CodecOrigin
from api.errors import envelope, route_pattern
from temporal.names import ErrorCode
from workers.identity import LOGIN_PAGE
from workers.settings import Settings

log = logging.getLogger("prism.api")
access = logging.getLogger("prism.access")

REQUESTS = Counter("prism_http_requests_total", "HTTP requests", ["method", "route", "status"])
SECONDS = Histogram("prism_http_request_seconds", "Time to the end of the answer", ["method", "route"])

# As nginx writes it: the client was gone before it was answered.
DISCONNECTED: Final = 499
UNEXPECTED: Final = "an internal error; the log has it under this trace_id"
OIDC_LOGIN: Final = "/login/oidc"
OIDC_CALLBACK: Final = "/login/oidc/callback"
# What nobody has to prove anything for: whether the process lives, and the ways to prove who one is.
OPEN_PATHS: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        LOGIN_PAGE,
        OIDC_LOGIN,
        OIDC_CALLBACK,
        DECIDE_PAGE,
        "/api/v1/auth/login",
        "/api/v1/auth/redeem",
        "/api/v1/auth/refresh",
    }
)
# Enough for every form on these paths; a stranger's megabytes are not even read.
OPEN_BODY_BYTES: Final = 16 * 1024
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}


RefusalPage = Callable[[Request, int, ErrorCode, str], Response | None]


class BodyTooLarge(HTTPException):
    """More bytes arrived than are taken. FastAPI lets an ``HTTPException`` pass where it reads a body."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes")


class Gatekeeper:
    """Refuses foreign hosts and origins, and large bodies; tells each request's story.

    A browser on any site can send requests to loopback. They carry that site's ``Origin`` or, after DNS rebinding,
    its ``Host``: both are refused, so that no cookie or token is needed on a laptop. Who sends a request is asked
    behind, by ``Identification``.

    Args:
        app: The application behind.
        settings: Hosts and limits.
        refusal_page: Returns what a refused person's browser is shown, or ``None`` for the error envelope.
    """

    def __init__(self, app: ASGIApp, settings: Settings, refusal_page: RefusalPage) -> None:
        self._app = app
        self._refusal_page = refusal_page
        self._limit = settings.max_body_bytes
        public = urlsplit(settings.console_url).hostname or ""
        self._hosts = {*LOOPBACK, settings.api_host, public}
        self._codec = CodecOrigin(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        story = _Story(scope, request_id)
        limit = min(self._limit, OPEN_BODY_BYTES) if scope["path"] in OPEN_PATHS else self._limit
        receive, send = _counted(receive, limit), story.sending(send, self._codec.headers(scope, headers))
        try:
            if preflight := self._codec.preflight(scope, headers):
                await preflight(scope, receive, send)
            elif refusal := self._refusal(scope, headers, limit):
                await self._refuse(scope, receive, send, *refusal)
            else:
                await self._app(scope, receive, send)
        except ClientDisconnect:
            pass  # Nobody is there to be answered.
        except Exception:
            # The outermost loop of a request: past it, the answer would lack its headers and the story its status.
            log.exception("unexpected error, trace %s", request_id)
            if story.answered:
                raise
            await self._refuse(scope, receive, send, 500, ErrorCode.INTERNAL, UNEXPECTED)
        finally:
            story.end()

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, status: int, code: ErrorCode, message: str
    ) -> None:
        request = Request(scope)
        answer = self._refusal_page(request, status, code, message) or envelope(request, status, code, message)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers, limit: int) -> tuple[int, ErrorCode, str] | None:
        if _hostname(headers.get("host", "")) not in self._hosts:
            return 403, ErrorCode.FORBIDDEN, "this host name is not served here; PRISM_API_URL names another"
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return 400, ErrorCode.BAD_REQUEST, "the address holds NUL, which is no character of a name"
        origin = headers.get("origin")
        foreign = origin and urlsplit(origin).netloc != headers.get("host")
        if foreign and scope["method"] not in SAFE_METHODS and not self._codec.allows(scope, headers):
            return 403, ErrorCode.FORBIDDEN, "requests from other origins are refused"
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            return 413, ErrorCode.BODY_TOO_LARGE, f"the body is larger than {limit} bytes"
        return None


class _Story:
    """What is told of a request once it has ended."""

    def __init__(self, scope: Scope, request_id: str) -> None:
        self._scope = scope
        self._request_id = request_id
        self._started = time.monotonic()
        self._status = 0

    @property
    def answered(self) -> bool:
        """Whether the answer has begun."""
        return bool(self._status)

    def sending(self, send: Send, more: dict[str, str]) -> Send:
        """Return ``send`` with the headers that every answer has, and more for this one."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = self._request_id
                for name, value in (SECURITY_HEADERS | more).items():
                    headers.setdefault(name, value)
            await send(message)

        return with_headers

    def end(self) -> None:
        """Tell the story."""
        self._status = self._status or DISCONNECTED
        seconds = time.monotonic() - self._started
        method = self._scope["method"]
        route = route_pattern(self._scope) or self._scope.get("root_path") or "unmatched"
        REQUESTS.labels(method, route, str(self._status)).inc()
        SECONDS.labels(method, route).observe(seconds)
        line = {
            "at": timestamp(),
            "method": method,
            "path": self._scope["path"],
            "status": self._status,
            "milliseconds": round(seconds * 1000, 1),
            "trace_id": self._request_id,
        }
        principal = self._scope["state"].get("principal")
        if principal is not None:
            line["by"] = principal.name
        access.info("%s", json.dumps(line))


def _counted(receive: Receive, limit: int) -> Receive:
    received = 0

    async def counting() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise BodyTooLarge(limit)
        return message

    return counting


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    wanted = given.replace("-", "").replace("_", "")
    return given if wanted.isalnum() and wanted.isascii() and len(given) <= 64 else uuid.uuid4().hex  # noqa: PLR2004


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
