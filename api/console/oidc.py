"""Login by an identity provider: away to it, and back."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from activities.identity.contracts import NoSuchAccount
from activities.identity.oidc import LOGIN_SECONDS, LoginRefused, OidcProvider
from api.console.login import inside, session_cookie
from api.console.render import page
from api.errors import STATUS
from api.middleware import OIDC_CALLBACK, OIDC_LOGIN
from api.routes.auth import caller
from api.services import Served, Services
from temporal.errors import PrismError

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Text = Annotated[str, Query(max_length=4000)]
ATTEMPT: Final = "prism_login"


@router.get(OIDC_LOGIN)
async def begin(services: Served, next: Text = "/") -> Response:  # noqa: A002 -- its name in the URL
    """Send a browser to the identity provider."""
    try:
        provider = _provider(services)
        address, cookie = await provider.begin(inside(next), _callback(services))
    except PrismError as error:
        return _told(error)
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        ATTEMPT,
        cookie,
        max_age=LOGIN_SECONDS,
        path=OIDC_CALLBACK,
        secure=services.settings.console_url.startswith("https:"),
        httponly=True,
        # The provider sends the browser back from another site.
        samesite="lax",
    )
    return answer


@router.get(OIDC_CALLBACK)
async def finish(request: Request, services: Served, code: Text = "", state: Text = "", error: Text = "") -> Response:
    """Let in whom the provider sent back."""
    try:
        provider = _provider(services)
        if error or not code:
            raise LoginRefused("the provider did not let you in")
        person, wanted = await provider.finish(request.cookies.get(ATTEMPT, ""), state, code, _callback(services))
        roles_given = bool(services.settings.oidc_roles_claim)
        user = await services.identity.external.user(person, roles_given=roles_given)
        login = await services.identity.browser_session(user.name, caller(request))
    except PrismError as fault:
        answer = _told(fault)
    else:
        # A redirect would still be the other site's, to which a strict cookie is not shown: the page goes on by itself.
        answer = page("welcome.html", next=inside(wanted), user=user.name)
        session_cookie(services, answer, login)
    answer.delete_cookie(ATTEMPT, path=OIDC_CALLBACK, httponly=True, samesite="lax")
    return answer


def _provider(services: Services) -> OidcProvider:
    if services.oidc is None or services.settings.auth == "off":
        raise NoSuchAccount("this installation has no identity provider")
    return services.oidc


def _callback(services: Services) -> str:
    return f"{services.settings.console_url}{OIDC_CALLBACK}"


def _told(error: PrismError) -> Response:
    return page(
        "message.html",
        status=STATUS.get(error.code, 500),
        code="",
        title="Not logged in",
        message=error.message,
        trace_id="",
    )
