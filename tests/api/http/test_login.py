"""Logging in over HTTP: programs with tokens, browsers with a cookie, and those who only guess."""

import logging
import re
import statistics
import time
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from activities.identity.contracts import Role
from tests.api.http.guarding import PASSWORD, SERVICE, Guarded, guarded_api, people

BROWSER = {"accept": "text/html"}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path) as api:
        await people(api)
        yield api


async def login(client: httpx.AsyncClient, user: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"user": user, "password": password})


def csrf(page: httpx.Response) -> str:
    found = re.search(r'<meta name="csrf-token" content="([0-9a-f]{64})">', page.text)
    assert found
    return found[1]


async def test_a_login_opens_and_a_refresh_goes_on(guarded: Guarded) -> None:
    async with await guarded.client() as client:
        first = (await login(client, "viewer")).json()
        assert first["token_type"] == "Bearer"  # noqa: S105 -- a scheme
        assert first["expires_in"] == 900
        client.headers["authorization"] = f"Bearer {first['access_token']}"
        me = (await client.get("/api/v1/auth/me")).json()
        assert (me["name"], me["roles"], me["via"]) == ("viewer", ["viewer"], "session")
        second = (await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
        client.headers["authorization"] = f"Bearer {second['access_token']}"
        assert (await client.get("/api/v1/runs")).status_code == 200
        reused = await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
        assert (reused.status_code, reused.json()["error"]["code"]) == (401, "TOKEN_REUSED")
        assert (await client.get("/api/v1/runs")).status_code == 401


async def test_a_logout_ends_the_session_at_once(guarded: Guarded) -> None:
    async with await guarded.client("viewer") as client:
        assert (await client.post("/api/v1/auth/logout")).status_code == 200
        assert (await client.get("/api/v1/auth/me")).status_code == 401


async def test_one_sees_and_ends_ones_own_sessions_only(guarded: Guarded) -> None:
    async with await guarded.client("viewer") as one, await guarded.client("viewer") as other:
        sessions = (await one.get("/api/v1/auth/sessions")).json()["sessions"]
        assert len(sessions) == 2
        theirs = (await other.get("/api/v1/auth/me")).json()["session"]
        async with await guarded.client("admin") as admin:
            assert (await admin.delete(f"/api/v1/auth/sessions/{theirs}")).status_code == 404
        assert (await one.delete(f"/api/v1/auth/sessions/{theirs}")).status_code == 200
        assert (await other.get("/api/v1/auth/me")).status_code == 401
        assert (await one.get("/api/v1/auth/me")).status_code == 200


async def test_a_token_does_what_its_scopes_say_and_no_more(guarded: Guarded) -> None:
    async with await guarded.client("operator") as client:
        made = await client.post("/api/v1/auth/tokens", json={"title": "ci", "scopes": ["runs.read"], "days": 1})
        secret = made.json()["secret"]
        listed = (await client.get("/api/v1/auth/tokens")).text
        assert secret not in listed
        bad = await client.post("/api/v1/auth/tokens", json={"title": "ci", "scopes": ["runs.destroy"]})
        assert bad.status_code == 400
        async with await guarded.client(token=secret) as program:
            assert (await program.get("/api/v1/runs")).status_code == 200
            for path in ("/api/v1/runs/x/pause", "/api/v1/auth/tokens", "/api/v1/auth/logout"):
                refused = await program.post(path, json={"title": "more", "scopes": ["runs.steer"]})
                assert refused.status_code == 403, path
            assert (await program.get("/api/v1/notifications")).status_code == 403
            await client.delete(f"/api/v1/auth/tokens/{made.json()['token']['id']}")
            assert (await program.get("/api/v1/runs")).status_code == 401


async def test_guessing_is_answered_alike_for_everybody_and_stopped(guarded: Guarded) -> None:
    async with await guarded.client() as client:
        for user in ("viewer", "nobody"):
            told = []
            for _ in range(5):
                answer = await login(client, user, "guess")
                told.append((answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["message"]))
            assert set(told) == {(401, "INVALID_CREDENTIALS", "user or password is wrong")}
            stopped = await login(client, user)
            assert (stopped.status_code, stopped.json()["error"]["code"]) == (429, "TOO_MANY_REQUESTS")
            assert 0 < int(stopped.headers["retry-after"]) <= 900
        assert (await login(client, "admin")).status_code == 200


async def test_an_unknown_name_takes_as_long_as_a_known_one(guarded: Guarded) -> None:
    identity = guarded.served.services.identity
    known = await identity.users.password_of("viewer")
    await identity.passwords.holds(None, "warms up")

    async def seconds(kept: str | None) -> float:
        taken = []
        for _ in range(7):
            begun = time.process_time()
            assert not await identity.passwords.holds(kept, "guess")
            taken.append(time.process_time() - begun)
        return statistics.median(taken)

    assert 0.5 < await seconds(known) / await seconds(None) < 2


async def test_a_disabled_user_is_told_nothing_more_than_a_wrong_one(guarded: Guarded) -> None:
    async with await guarded.client("admin") as admin:
        assert (await admin.patch("/api/v1/users/viewer", json={"disabled": True})).status_code == 200
        refused = await login(admin, "viewer")
    assert refused.json()["error"]["message"] == "user or password is wrong"


async def test_an_invited_user_chooses_a_password_by_a_link_that_is_good_once(guarded: Guarded) -> None:
    async with await guarded.client("admin") as admin, await guarded.client() as ana:
        invited = (await admin.post("/api/v1/users", json={"name": "ana", "roles": ["viewer"]})).json()
        assert invited["user"]["has_password"] is False
        link = invited["link"].partition("link=")[2]
        short = await ana.post("/api/v1/auth/redeem", json={"link": link, "password": "short"})
        assert short.status_code == 422
        assert "short" not in short.text.replace("shorter", "")
        body = {"link": link, "password": "a password of ana"}
        assert (await ana.post("/api/v1/auth/redeem", json=body)).status_code == 200
        assert (await ana.post("/api/v1/auth/redeem", json=body)).status_code == 401
        assert (await login(ana, "ana", "a password of ana")).status_code == 200
        assert (await admin.post("/api/v1/users/ana/reset")).status_code == 200
        assert (await login(ana, "ana", "a password of ana")).status_code == 401


async def test_a_changed_password_ends_ones_other_sessions(guarded: Guarded) -> None:
    async with await guarded.client("viewer") as one, await guarded.client("viewer") as other:
        body = {"current": PASSWORD, "new": "something else entirely"}
        assert (await one.post("/api/v1/auth/password", json=body)).status_code == 200
        assert (await one.get("/api/v1/auth/me")).status_code == 200
        assert (await other.get("/api/v1/auth/me")).status_code == 401


async def test_a_browser_is_led_to_the_form_and_back(guarded: Guarded) -> None:
    async with httpx.AsyncClient(base_url=guarded.served.url, headers=BROWSER, timeout=60) as client:
        away = await client.get("/?q=a b")
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=%2F%3Fq%3Da%2520b")
        form = await client.get(away.headers["location"])
        assert form.status_code == 200
        assert "<script>" not in form.text
        wrong = await client.post("/login", data={"user": "<b>", "password": "guess", "next": "/"})
        assert wrong.status_code == 401
        assert "user or password is wrong" in wrong.text
        assert "<b>" not in wrong.text.partition("<form")[2].partition("</form>")[0].replace("<b>ana", "")
        right = await client.post("/login", data={"user": "viewer", "password": PASSWORD, "next": "/?q=a"})
        assert (right.status_code, right.headers["location"]) == (303, "/?q=a")
        morsel = SimpleCookie(right.headers["set-cookie"])["prism_session"]
        assert morsel["httponly"]
        assert morsel["samesite"] == "strict"
        page = await client.get("/")
        assert page.status_code == 200
        assert "<b>viewer</b>" in page.text


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", ""])
async def test_a_login_leads_nowhere_else(guarded: Guarded, next_: str) -> None:
    async with await guarded.client() as client:
        answer = await client.post("/login", data={"user": "viewer", "password": PASSWORD, "next": next_})
    assert answer.headers["location"] == "/"


async def test_a_cookie_changes_something_only_from_a_page_of_its_session(guarded: Guarded) -> None:
    async with guarded.browser("operator") as client, guarded.browser("operator") as other:
        assert (await client.get("/api/v1/runs")).status_code == 200
        pause = "/api/v1/runs/none/pause"
        foreign = csrf(await other.get("/"))
        for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": "0" * 64}, {"x-csrf-token": foreign}):
            refused = await client.post(pause, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
        own = {"x-csrf-token": csrf(await client.get("/"))}
        assert (await client.post(pause, headers=own)).status_code == 404
        evil = {**own, "origin": "https://evil.example"}
        assert (await client.post(pause, headers=evil)).status_code == 403
        assert (await client.post("/api/v1/auth/logout", headers=own)).status_code == 200
        assert (await client.get("/api/v1/runs")).status_code == 401
        assert (await other.get("/api/v1/runs")).status_code == 200


async def test_a_link_in_a_browser_is_not_used_up_by_looking(guarded: Guarded) -> None:
    link = await guarded.served.services.identity.links.create("viewer")
    async with httpx.AsyncClient(base_url=guarded.served.url, headers=BROWSER, timeout=60) as client:
        for _ in range(2):
            assert "Choose your password" in (await client.get("/login", params={"link": link})).text
        short = await client.post("/login", data={"link": link, "password": "short"})
        assert short.status_code == 422
        done = await client.post("/login", data={"link": link, "password": "long enough now"})
        assert done.status_code == 303
        assert (await client.get("/")).status_code == 200
        again = await client.post("/login", data={"link": link, "password": "long enough now"})
        assert again.status_code == 401


async def test_no_secret_is_told_in_logs_or_errors(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    identity = guarded.served.services.identity
    _, token = await identity.tokens.create("viewer", "ci", ["runs.read"], 1)
    link = await identity.links.create("admin")
    told = ""
    async with await guarded.client() as client:
        told += (await login(client, "viewer", "a-wrong-password")).text
        told += (await client.get("/api/v1/runs", headers={"authorization": f"Bearer {token}x"})).text
        told += (await client.post("/api/v1/auth/refresh", json={"refresh_token": "a-wrong-refresh"})).text
        told += (await client.post("/api/v1/auth/login", json={"password": "a-wrong-password"})).text
        await client.get("/login", params={"link": link})
        await client.get("/api/v1/runs", headers={"authorization": f"Bearer {token}"})
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("prism"))
    for secret in ("a-wrong-password", "a-wrong-refresh", token, link, SERVICE):
        assert secret not in told
        assert secret not in ours


async def test_a_stranger_sends_no_megabytes(guarded: Guarded) -> None:
    async with await guarded.client() as client:
        large = await login(client, "viewer", "x" * 20_000)
    assert large.status_code == 413


async def test_requests_are_limited_by_user_and_by_address(tmp_path: Path) -> None:
    with guarded_api(tmp_path, requests_per_minute=5) as api:
        await people(api)
        async with await api.client("viewer") as client, await api.client("admin") as other:
            answers = [await client.get("/api/v1/auth/me") for _ in range(7)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
            assert int(answers[-1].headers["retry-after"]) >= 1
            assert (await other.get("/api/v1/auth/me")).status_code == 200
            assert (await client.get("/healthz")).status_code == 200
        async with await api.client() as stranger:
            answers = [await stranger.get("/api/v1/auth/me") for _ in range(7)]
            assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
            assert int(answers[-1].headers["retry-after"]) >= 1


async def test_the_last_administrator_cannot_be_taken_away(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        for change in ({"roles": []}, {"disabled": True}):
            assert (await client.patch("/api/v1/users/admin", json=change)).status_code == 409
        kept = (await client.get("/api/v1/users")).json()["users"]
    assert next(user for user in kept if user["name"] == "admin")["roles"] == [Role.ADMIN]
