"""Who sends a request: every one is asked before anything behind sees it."""

from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.audit.actor import acting
from activities.audit.contracts import NOBODY
from activities.identity.authentication import EVERYTHING
from activities.identity.contracts import Forbidden, Principal, Unauthenticated, Via
from activities.identity.throttle import RequestRate
from api.auditing import denied
from api.codec_origin import CodecOrigin
from api.console.render import wants_page
from api.errors import STATUS, envelope
from api.middleware import OPEN_PATHS, SAFE_METHODS, RefusalPage
from api.services import Services
from temporal.errors import PrismError
from workers.identity import LOGIN_PAGE

COOKIE: Final = "prism_session"
CSRF_HEADER: Final = "x-csrf-token"
OPEN_FOLDER: Final = "/static/"
UNLIMITED: Final = {Via.LOCAL, Via.SERVICE}
LOCAL: Final = Principal(name="local", roles=EVERYTHING, via=Via.LOCAL)


class Identification:
    """Gives each request its principal, or refuses it; behind it, nobody is anonymous but on open paths.

    With ``auth`` off, whoever reaches the API is the person at this machine, or holds the one API token where one is
    set. With ``auth`` on, a request carries a bearer token, or the cookie of a browser that has logged in.

    Args:
        app: The application behind.
        services: Who there is, and the settings.
        refusal_page: Returns what a refused person's browser is shown, or ``None`` for the error envelope.
    """

    def __init__(self, app: ASGIApp, services: Services, refusal_page: RefusalPage) -> None:
        self._app = app
        self._identity = services.identity
        self._enforced = services.settings.auth == "on"
        self._rate = RequestRate(services.settings.requests_per_minute)
        self._refusal_page = refusal_page
        self._codec = CodecOrigin(services.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state |= {"principal": None, "csrf": ""}
        try:
            principal = await self._identified(scope)
        except PrismError as error:
            if isinstance(error, Forbidden):
                await denied(Request(scope), error)
            await self._refused(Request(scope), error)(scope, receive, send)
            return
        state["principal"] = principal
        if principal is not None and principal.via is Via.COOKIE:
            state["csrf"] = self._identity.access.csrf(principal.session)
        with acting(principal.name if principal else NOBODY):
            await self._app(scope, receive, send)

    async def _identified(self, scope: Scope) -> Principal | None:
        headers = Headers(scope=scope)
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            if self._enforced and path.startswith("/api/"):
                self._rate.take(f"address {_address(scope)}")
            return None
        if not self._enforced:
            return self._at_this_machine(headers)
        try:
            principal = await self._proven(scope, headers)
        except Unauthenticated:
            self._rate.take(f"address {_address(scope)}")
            raise
        if principal.via not in UNLIMITED:
            self._rate.take(f"{principal.via} {principal.name}")
        return principal

    def _at_this_machine(self, headers: Headers) -> Principal:
        if not self._identity.service_token:
            return LOCAL
        if not self._identity.is_service(_bearer(headers) or ""):
            raise Unauthenticated("send the API token as 'Authorization: Bearer …'")
        return Principal(name="local", roles=EVERYTHING, via=Via.SERVICE)

    async def _proven(self, scope: Scope, headers: Headers) -> Principal:
        if "authorization" in headers:
            secret = _bearer(headers)
            if not secret:
                raise Unauthenticated("send a token as 'Authorization: Bearer …'")
            return await self._identity.bearer(secret)
        cookie = Request(scope).cookies.get(COOKIE)
        principal = await self._identity.browser(cookie) if cookie else None
        if principal is None:
            raise Unauthenticated("log in first: prism login, or send a token as 'Authorization: Bearer …'")
        given = headers.get(CSRF_HEADER, "")
        # Temporal Web has no page of ours to take a token from; its origin stands for it, and it changes nothing.
        excused = scope["method"] in SAFE_METHODS or self._codec.allows(scope, headers)
        if not excused and not self._identity.access.csrf_holds(principal.session, given):
            raise Forbidden("this request does not come from a page of your session; reload the page")
        return principal

    def _refused(self, request: Request, error: PrismError) -> Response:
        if self._enforced and isinstance(error, Unauthenticated) and wants_page(request):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{LOGIN_PAGE}?next={quote(here, safe='')}", status_code=303)
        status = STATUS.get(error.code, 500)
        page = self._refusal_page(request, status, error.code, error.message)
        return page or envelope(request, status, error.code, error.message, error.details)


def _bearer(headers: Headers) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
