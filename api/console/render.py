"""Renders the console's pages. Every value is escaped; the policy of the pages forbids inline script and style."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.console import formats
from temporal.names import ErrorCode

FOLDER: Final = Path(__file__).parent
_TITLES: Final = {401: "This console needs a token", 403: "Refused", 404: "Nothing here", 503: "Not available now"}


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        formats.number,
        formats.money,
        formats.share,
        formats.duration,
        formats.rate,
        formats.size,
        formats.ago,
        formats.clock,
        formats.words,
        path,
        pretty,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.globals["span"] = formats.span
    return environment


def path(text: str) -> str:
    """Return a text as it stands in a URL's path; slashes stay."""
    return quote(text, safe="/")


def pretty(value: object) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@dataclass(frozen=True)
class Account:
    """Who is logged in, as the pages show it.

    Args:
        csrf: What their pages send with requests that change something; empty without a browser's session.
        audits: Whether they may read the audit log.
    """

    name: str
    csrf: str = ""
    audits: bool = False


def page(
    template: str,
    *,
    status: int = 200,
    account: Account | None = None,
    **values: Any,  # noqa: ANN401 -- what templates show
) -> HTMLResponse:
    """Return a page.

    Args:
        template: Its file under ``templates``.
        status: The answer's HTTP status.
        account: Who is logged in; ``None`` where nobody logs in.
        values: What it shows.
    """
    html = _ENVIRONMENT.get_template(template).render(account=account, **values)
    return HTMLResponse(html, status_code=status, headers={"cache-control": "private, no-cache"})


def message_page(status: int, message: str, trace_id: str = "") -> HTMLResponse:
    """Return a page that says what went wrong."""
    title = _TITLES.get(status, "That did not work")
    return page("message.html", status=status, code=status, title=title, message=message, trace_id=trace_id)


def wants_page(request: Request) -> bool:
    """Return whether a person's browser asks for a page, not a program for an answer of the API."""
    outside = not request.url.path.startswith(("/api/", "/static/"))
    return outside and request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")


def refusal(request: Request, status: int, code: ErrorCode, message: str) -> HTMLResponse | None:
    """Return the page for a refused browser; ``None`` for a program, which gets the error envelope."""
    if not wants_page(request):
        return None
    told = {
        ErrorCode.UNAUTHENTICATED: "This installation is protected by PRISM_API_TOKEN, which browsers cannot send: use "
        "the prism command line, or start Prism with PRISM_AUTH=on, which lets people log in here.",
    }
    return message_page(status, told.get(code, message), str(request.scope.get("state", {}).get("request_id", "")))


_ENVIRONMENT: Final = _environment()
_STREAMING: Final = _ENVIRONMENT.overlay(enable_async=True)
_CHUNK_CHARS: Final = 32_768


async def streamed(template: str, **values: Any) -> AsyncIterator[str]:  # noqa: ANN401 -- whatever a template shows
    """Yield a page whose lists are read while it is written, a piece of some size at a time."""
    held: list[str] = []
    size = 0
    async for piece in _STREAMING.get_template(template).generate_async(**values):
        held.append(piece)
        size += len(piece)
        if size >= _CHUNK_CHARS:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)
