"""Login by a real OpenID Connect provider, a process of its own, and everything that can go wrong on the way."""

import asyncio
import sys
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from activities.identity.contracts import Role
from activities.identity.oidc import Person
from tests.api.http.guarding import Guarded, guarded_api
from tests.api.http.identity_provider import FAULTS, SOUND
from tests.conftest import free_port

ANA = '{"sub": "u-1", "preferred_username": "Ana", "groups": ["reviewer", "nonsense"]}'
IMPOSTOR = '{"sub": "u-2", "preferred_username": "admin"}'


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.api.http.identity_provider",
        str(port),
        ANA,
        IMPOSTOR,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(timeout=60) as http, asyncio.timeout(60):
            while True:
                try:
                    if (await http.get(f"{url}/.well-known/openid-configuration")).is_success:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def house(tmp_path: Path, issuer: str) -> AsyncIterator[Guarded]:
    given = {
        "oidc_issuer": issuer,
        "oidc_client_id": "prism",
        "oidc_client_secret": SecretStr("s"),
        "oidc_roles_claim": "groups",
    }
    with guarded_api(tmp_path, **given) as guarded:
        yield guarded


class Browser:
    """A browser that follows nothing by itself."""

    def __init__(self, guarded: Guarded) -> None:
        self.http = httpx.AsyncClient(base_url=guarded.served.url, headers={"accept": "text/html"}, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self.http.aclose()

    async def begin(self, wanted: str = "/reviews") -> str:
        answer = await self.http.get("/login/oidc", params={"next": wanted})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def at_provider(self, address: str, subject: str = "u-1") -> str:
        async with httpx.AsyncClient(timeout=60) as provider:
            answer = await provider.post(address, data={"sub": subject})
            assert answer.status_code in {302, 303}, answer.text
            back: str = answer.headers["location"]
            return back

    async def back(self, address: str) -> httpx.Response:
        parts = urlsplit(address)
        return await self.http.get(f"{parts.path}?{parts.query}")

    async def login(self, subject: str = "u-1", wanted: str = "/reviews") -> httpx.Response:
        return await self.back(await self.at_provider(await self.begin(wanted), subject))


@pytest.fixture
async def browser(house: Guarded) -> AsyncIterator[Browser]:
    async with Browser(house) as made:
        yield made


async def test_the_provider_lets_a_person_in_with_their_roles(browser: Browser, house: Guarded) -> None:
    shown = await browser.http.get("/login")
    assert "Log in with your organisation" in shown.text
    welcome = await browser.login()
    assert welcome.status_code == 200
    assert 'content="0; url=/reviews"' in unescape(welcome.text)
    assert (await browser.http.get("/reviews")).status_code == 200
    me = (await browser.http.get("/api/v1/auth/me")).json()
    assert (me["name"], me["roles"]) == ("ana", ["reviewer"])
    await browser.login()
    assert [user.name for user in await house.served.services.identity.users.all()] == ["ana"]


async def test_the_request_carries_pkce_state_and_nonce(browser: Browser) -> None:
    asked = parse_qs(urlsplit(await browser.begin()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= asked.keys()


async def test_nobody_takes_over_an_account_by_being_called_so_elsewhere(browser: Browser, house: Guarded) -> None:
    await house.served.services.identity.users.create("admin", [Role.ADMIN])
    await browser.login("u-2")
    me = (await browser.http.get("/api/v1/auth/me")).json()
    assert (me["name"], me["roles"]) == ("admin-2", [])


async def test_a_login_that_another_browser_began_is_refused(browser: Browser, house: Guarded) -> None:
    back = await browser.at_provider(await browser.begin())
    async with Browser(house) as victim, Browser(house) as stranger:
        await victim.begin()
        refused = await victim.back(back)
        assert (refused.status_code, "not the login that this browser began" in refused.text) == (401, True)
        assert (await stranger.back(back)).status_code == 401


async def test_a_code_counts_once(browser: Browser) -> None:
    back = await browser.at_provider(await browser.begin())
    cookie = dict(browser.http.cookies)
    assert (await browser.back(back)).status_code == 200
    browser.http.cookies.set("prism_login", cookie["prism_login"], path="/login/oidc/callback")
    assert (await browser.back(back)).status_code == 401


async def test_an_answer_to_another_login_is_refused_by_its_nonce(browser: Browser) -> None:
    back = await browser.at_provider(await browser.begin())
    address = await browser.begin()
    state = parse_qs(urlsplit(address).query)["state"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    refused = await browser.back(f"http://x/login/oidc/callback?code={code}&state={state}")
    assert refused.status_code == 401


async def test_a_refusal_of_the_provider_is_told(browser: Browser) -> None:
    state = parse_qs(urlsplit(await browser.begin()).query)["state"][0]
    refused = await browser.back(f"http://x/login/oidc/callback?error=access_denied&state={state}")
    assert (refused.status_code, "did not let you in" in refused.text) == (401, True)


async def test_a_disabled_account_stays_out(browser: Browser, house: Guarded) -> None:
    await browser.login()
    identity = house.served.services.identity
    await identity.users.create("root", [Role.ADMIN])
    await identity.users.change("ana", disabled=True)
    assert (await browser.login()).status_code == 401
    assert (await browser.http.get("/api/v1/auth/me")).status_code == 401


async def test_a_provider_that_is_down_is_told_and_one_logs_in_otherwise(tmp_path: Path) -> None:
    dead = {"oidc_issuer": f"http://127.0.0.1:{free_port()}", "oidc_client_id": "prism"}
    with guarded_api(tmp_path, **dead) as guarded:
        async with Browser(guarded) as browser:
            answer = await browser.http.get("/login/oidc")
            assert (answer.status_code, "does not answer" in answer.text) == (503, True)
            assert (await browser.http.get("/login")).status_code == 200


async def test_without_a_provider_there_is_no_such_login(tmp_path: Path) -> None:
    with guarded_api(tmp_path) as guarded:
        async with Browser(guarded) as browser:
            assert (await browser.http.get("/login/oidc")).status_code == 404
            assert "organisation" not in (await browser.http.get("/login")).text


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_a_login_leads_nowhere_else(browser: Browser, wanted: str) -> None:
    assert 'content="0; url=/"' in unescape((await browser.login(wanted=wanted)).text)


async def test_nobody_keeps_the_first_administrator_out_by_being_called_so(browser: Browser, house: Guarded) -> None:
    await browser.login("u-2")
    assert (await browser.http.get("/api/v1/auth/me")).json()["name"] == "admin-2"
    identity = house.served.services.identity
    assert await identity.first_link()
    assert [user.name for user in await identity.users.all() if Role.ADMIN in user.roles] == ["admin"]


@pytest.mark.parametrize("name", ["policy", "nobody", "local", "service", "Service"])
async def test_nobody_is_recorded_under_a_name_of_the_systems_own(house: Guarded, name: str) -> None:
    person = Person(issuer="https://id.example", subject="u-9", name=name)
    user = await house.served.services.identity.external.user(person, roles_given=False)
    assert user.name == f"{name.lower()}-2"


async def test_who_has_no_password_is_asked_for_none(browser: Browser) -> None:
    await browser.login()
    page = (await browser.http.get("/account")).text
    assert "You have no password here" in page
    assert 'name="current"' not in page


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_token_whose_signature_does_not_fit_the_key_is_refused(
    browser: Browser, house: Guarded, fault: str
) -> None:
    refused = await browser.login(fault)
    assert (refused.status_code, "Not logged in" in refused.text) == (401, True)
    assert await house.served.services.identity.users.all() == []


@pytest.mark.parametrize("subject", SOUND)
async def test_a_token_signed_by_the_second_published_key_is_taken(browser: Browser, subject: str) -> None:
    assert (await browser.login(subject)).status_code == 200


async def test_the_last_administrator_gets_in_though_the_provider_takes_the_role(
    browser: Browser, house: Guarded
) -> None:
    await browser.login()
    await house.served.services.identity.users.change("ana", roles=[Role.ADMIN])
    assert (await browser.login()).status_code == 200
    assert (await browser.http.get("/api/v1/auth/me")).json()["roles"] == ["reviewer", "admin"]
    shown = await browser.http.get("/users")
    assert 'class="chip good">OIDC<' in shown.text
    listed = (await browser.http.get("/api/v1/users")).json()["users"]
    assert [(one["name"], one["via_provider"]) for one in listed] == [("ana", True)]
