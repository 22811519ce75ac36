"""Adds the console to the application: pages, static files, and pages in place of error envelopes for browsers."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api.console import (
    accounts,
    agents,
    audit,
    budgets,
    deciding,
    experiments,
    feedback,
    login,
    notifications,
    oidc,
    pages,
    reviews,
    scans,
    secrets,
    system,
    usage,
)
from api.console.render import FOLDER, message_page, wants_page
from temporal.errors import PrismError

Handler = Callable[[Request, Any], Awaitable[Response]]
FAULTS: Final = (PrismError, HTTPException, RequestValidationError)


class _Revalidated(StaticFiles):
    """Static files that a browser asks for again after an upgrade; unchanged ones are answered 304."""

    def file_response(self, *args: Any, **options: Any) -> Response:  # noqa: ANN401 -- the base's signature
        response = super().file_response(*args, **options)
        response.headers["cache-control"] = "no-cache"
        return response


def mount_console(app: FastAPI) -> None:
    """Add the console; the application's error handlers must be installed before."""
    for fault in FAULTS:
        app.add_exception_handler(fault, _paged(cast("Handler", app.exception_handlers[fault])))
    app.include_router(login.router)
    app.include_router(oidc.router)
    app.include_router(deciding.router)
    app.include_router(accounts.router)
    app.include_router(reviews.router)
    app.include_router(notifications.router)
    app.include_router(pages.router)
    app.include_router(audit.router)
    app.include_router(budgets.router)
    app.include_router(feedback.router)
    app.include_router(agents.router)
    app.include_router(experiments.router)
    app.include_router(system.router)
    app.include_router(scans.router)
    app.include_router(secrets.router)
    app.include_router(usage.router)
    app.mount("/static", _Revalidated(directory=FOLDER / "static"), name="static")


def _paged(envelope: Handler) -> Handler:
    """Return a handler that shows a person's browser a page with the envelope's message."""

    async def handle(request: Request, fault: Exception) -> Response:
        answer = await envelope(request, fault)
        if not wants_page(request):
            return answer
        told = "the address has a value that cannot be understood"
        if isinstance(fault, PrismError):
            told = fault.message
        elif isinstance(fault, HTTPException):
            told = f"there is no page {request.url.path}" if fault.status_code == 404 else str(fault.detail)  # noqa: PLR2004
        trace_id = str(request.scope.get("state", {}).get("request_id", ""))
        return message_page(answer.status_code, told, trace_id)

    return handle
