"""The login page: a form that works without JavaScript; a one-time link leads to the same page."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response

from activities.identity.contracts import BrowserLogin, InvalidCredentials, Password, TooManyRequests
from api.console.render import page
from api.errors import STATUS
from api.identification import COOKIE
from api.routes.auth import caller
from api.services import Served, Services
from workers.identity import LOGIN_PAGE

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Text = Annotated[str, Query(max_length=2000)]
FIELDS: Final = 8
PASSWORD: Final = TypeAdapter[str](Password)


@router.get(LOGIN_PAGE)
async def login_page(services: Served, next: Text = "/", link: Text = "") -> Response:  # noqa: A002 -- its name in the URL
    """Ask for name and password, or, after a one-time link, for a new password. The link is not used up by looking."""
    if services.settings.auth == "off":
        return RedirectResponse("/", status_code=303)
    return _form(next=next, link=link, oidc=services.oidc is not None)


@router.post(LOGIN_PAGE)
async def log_in(request: Request, services: Served) -> Response:
    """Log a browser in and lead it where it wanted to go."""
    async with request.form(max_files=0, max_fields=FIELDS) as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    wanted, link, user = given.get("next", "/"), given.get("link", ""), given.get("user", "")
    try:
        login = await _logged_in(services, request, given)
    except (InvalidCredentials, TooManyRequests) as error:
        # A link that is used up leads to the ordinary form.
        fault, status = error.message, STATUS[error.code]
        answer = _form(next=wanted, user=user[:200], fault=fault, status=status, oidc=services.oidc is not None)
        if isinstance(error, TooManyRequests):
            answer.headers["retry-after"] = str(error.retry_after)
        return answer
    except ValidationError:
        return _form(next=wanted, link=link, fault="The password needs 12 to 256 characters.", status=422)
    answer = RedirectResponse(inside(wanted), status_code=303)
    session_cookie(services, answer, login)
    return answer


async def _logged_in(services: Services, request: Request, given: dict[str, str]) -> BrowserLogin:
    password = given.get("password", "")
    if link := given.get("link"):
        return await services.identity.redeem_browser(link, PASSWORD.validate_python(password), caller(request))
    # What is longer than any password is not hashed.
    return await services.identity.login_browser(given.get("user", "")[:200], password[:512], caller(request))


def _form(
    *,
    next: str,  # noqa: A002 -- its name in the form
    link: str = "",
    user: str = "",
    fault: str = "",
    status: int = 200,
    oidc: bool = False,
) -> Response:
    return page("login.html", status=status, next=inside(next), link=link, user=user, fault=fault, oidc=oidc)


def session_cookie(services: Services, answer: Response, login: BrowserLogin) -> None:
    """Have a browser keep its session."""
    answer.set_cookie(
        COOKIE,
        login.cookie,
        max_age=login.max_age,
        path="/",
        secure=services.settings.console_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def inside(wanted: str) -> str:
    """Return a path of this console; anything that could lead elsewhere becomes the first page."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\", LOGIN_PAGE)) and wanted.isprintable()
    return wanted if plain else "/"
