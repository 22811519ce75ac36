"""The pages of accounts without a browser, and what the doors of an API with logins tell and refuse."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from activities.policy.access import EmbeddedAccessPolicy
from api.console.accounts import SCOPES
from tests.api.http.guarding import SERVICE, Guarded, guarded_api, people
from workers.policy import POLICIES

FOREIGN = {"origin": "https://elsewhere.example"}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path) as api:
        await people(api)
        yield api


def test_every_action_that_a_token_may_have_is_offered_in_words() -> None:
    data = json.loads((POLICIES / "authz" / "data.json").read_text())
    assert set(SCOPES) == EmbeddedAccessPolicy(POLICIES).actions - set(data["session_only"])


async def test_one_is_offered_the_scopes_that_one_could_use(guarded: Guarded) -> None:
    for user, offered in {
        "viewer": {"runs.submit": False, "runs.read": True, "users.manage": False},
        "boarder": {"reviews.decide": True, "runs.submit": True, "runs.steer": False, "events.read": False},
        "admin": {"users.manage": True, "audit.read": True, "account.manage": False},
    }.items():
        async with guarded.browser(user) as browser:
            page = (await browser.get("/account")).text
        for scope, wanted in offered.items():
            assert (f'value="{scope}"' in page) is wanted, (user, scope)


async def test_no_page_of_accounts_may_be_kept_or_framed(guarded: Guarded) -> None:
    async with guarded.browser("admin") as browser:
        for path in ("/account", "/users"):
            answer = await browser.get(path)
            assert answer.headers["cache-control"] == "private, no-cache"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]


async def test_a_page_of_accounts_changes_nothing_without_its_csrf_token(guarded: Guarded) -> None:
    async with guarded.browser("admin") as browser:
        for method, path, body in (
            ("POST", "/api/v1/users", {"name": "eve"}),
            ("PATCH", "/api/v1/users/viewer", {"disabled": True}),
            ("POST", "/api/v1/users/viewer/reset", None),
            ("POST", "/api/v1/auth/tokens", {"title": "x", "scopes": ["runs.read"]}),
            ("POST", "/api/v1/auth/logout", None),
        ):
            assert (await browser.request(method, path, json=body)).status_code == 403, path
    assert not (await guarded.served.services.identity.users.get("viewer")).disabled


async def test_where_nobody_logs_in_nobody_has_an_account(http: httpx.AsyncClient) -> None:
    browser = {"accept": "text/html"}
    assert (await http.get("/account", headers=browser)).headers["location"] == "/"
    assert "Nobody is asked to log in." in (await http.get("/users", headers=browser)).text


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_no_other_origin_is_let_in_by_a_preflight(guarded: Guarded, method: str) -> None:
    asked = FOREIGN | {"access-control-request-method": method, "access-control-request-headers": "authorization"}
    async with await guarded.client("admin") as client:
        for path in ("/api/v1/users", "/api/v1/runs", "/api/v1/auth/login"):
            answer = await client.options(path, headers=asked)
            assert not answer.is_success
            assert not [name for name in answer.headers if name.startswith("access-control-")]
        read = await client.get("/api/v1/users", headers=FOREIGN)
        assert not [name for name in read.headers if name.startswith("access-control-")]


async def test_the_access_log_names_who_asked(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "prism.access")
    for user, token in (("viewer", ""), ("", SERVICE), ("", "")):
        async with await guarded.client(user, token) as client:
            await client.get("/api/v1/runs", params={"q": user or token})
    told = [json.loads(one.getMessage()) for one in caplog.records if one.name == "prism.access"]
    assert [(one.get("by"), one["status"]) for one in told] == [("viewer", 200), ("service", 200), (None, 401)]
    assert {one["path"] for one in told} == {"/api/v1/runs"}


async def test_who_guesses_in_a_browser_is_told_when_to_come_back(guarded: Guarded) -> None:
    async with await guarded.client() as client:
        for _ in range(5):
            assert (await client.post("/login", data={"user": "viewer", "password": "guess"})).status_code == 401
        stopped = await client.post("/login", data={"user": "viewer", "password": "guess"})
    assert stopped.status_code == 429
    assert 0 < int(stopped.headers["retry-after"]) <= 900
    assert 'role="alert"' in stopped.text
