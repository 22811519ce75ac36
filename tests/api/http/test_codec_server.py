"""The codec server over a socket: Temporal Web's origin reads, no other does, and what is odd is said."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from activities.audit.contracts import AuditFilter
from activities.identity.contracts import Role
from tests.api.http.guarding import Guarded, guarded_api, people
from tests.api.http.serving import Serving, serving
from tests.conftest import free_port
from workers.settings import Settings

WEB = "http://temporal.example:8233"
ENCODE, DECODE = "/api/v1/codec/encode", "/api/v1/codec/decode"
SPACE = {"x-namespace": "default"}
PLAIN = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "ImNhbmFyeSI="}]}


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("codec"), encryption="on", temporal_ui_url=f"{WEB}/") as api:
        await people(api)
        yield api


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("loopback")
    settings = Settings(home=home, temporal_address=f"127.0.0.1:{free_port()}", encryption="on", temporal_ui_url=WEB)
    with serving(settings) as served:
        yield served


async def encrypted(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post(ENCODE, json=PLAIN, headers=SPACE | {"origin": WEB})
    assert answer.status_code == 200, answer.text
    assert PLAIN["payloads"][0]["data"] not in answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_temporal_webs_origin_gets_plain_text_and_the_audit_log_tells(guarded: Guarded) -> None:
    async with await guarded.client("operator") as client:
        answer = await client.post(DECODE, json=await encrypted(client), headers=SPACE | {"origin": WEB})
    assert answer.json() == PLAIN
    assert answer.headers["access-control-allow-origin"] == WEB
    assert answer.headers["access-control-allow-credentials"] == "true"
    chosen = AuditFilter(kinds=("codec.decoded",))
    (entry,) = await guarded.served.services.audit.page(chosen, None, 10)
    assert entry.actor == "operator"


async def test_a_logged_in_browser_reads_by_its_cookie_from_that_origin_only(guarded: Guarded) -> None:
    async with guarded.browser(Role.OPERATOR) as browser:
        codes = [
            (await browser.post(DECODE, json=PLAIN, headers=SPACE | {"origin": origin})).status_code
            for origin in (WEB, "https://evil.example", guarded.served.url)
        ]
    assert codes == [200, 403, 403]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{WEB}.evil.example", "http://temporal.example"])
async def test_other_origins_are_refused_before_anything_else(guarded: Guarded, origin: str) -> None:
    async with await guarded.client("admin") as client:
        for method in ("POST", "OPTIONS"):
            headers = SPACE | {"origin": origin, "access-control-request-method": "POST"}
            answer = await client.request(method, DECODE, json=PLAIN, headers=headers)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers


async def test_the_exception_holds_for_this_path_only(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        answer = await client.post("/api/v1/catalogs/validate", json={"csv": "a"}, headers={"origin": WEB})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_a_preflight_needs_no_login_but_a_request_does(guarded: Guarded) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-namespace,content-type"}
    async with await guarded.client() as nobody:
        assert (await nobody.options(DECODE, headers=asks | {"origin": WEB})).status_code == 200
        refused = await nobody.post(DECODE, json=PLAIN, headers=SPACE | {"origin": WEB})
    assert refused.status_code == 401
    # Without it the browser would hide from Temporal Web why.
    assert refused.headers["access-control-allow-origin"] == WEB


async def test_what_cannot_be_decoded_is_said_without_secrets(guarded: Guarded) -> None:
    home = str(guarded.served.settings.home)
    async with await guarded.client("operator") as client:
        changed, unknown, odd = [await encrypted(client) for _ in range(3)]
        data = changed["payloads"][0]["data"]
        changed["payloads"][0]["data"] = ("A" if data[0] != "A" else "B") + data[1:]
        unknown["payloads"][0]["metadata"]["encryption-key-id"] = "ZmZmZg=="
        odd["payloads"][0]["data"] = "a"
        wanted = [
            (changed, 422, "PAYLOAD_TAMPERED"),
            (unknown, 422, "UNKNOWN_ENCRYPTION_KEY"),
            (odd, 400, "BAD_REQUEST"),
        ]
        for body, status, code in wanted:
            answer = await client.post(DECODE, json=body, headers=SPACE | {"origin": WEB})
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            assert "Traceback" not in answer.text
            assert home not in answer.text
        for space in ({}, {"x-namespace": "other"}):
            answer = await client.post(DECODE, json=PLAIN, headers=space | {"origin": WEB})
            assert answer.status_code == 400
            assert "X-Namespace" in answer.text


async def test_with_auth_off_only_that_origin_is_answered(loopback: Serving) -> None:
    async with httpx.AsyncClient(base_url=loopback.url, trust_env=False) as client:
        assert (await client.post(DECODE, json=PLAIN, headers=SPACE | {"origin": WEB})).json() == PLAIN
        for origin in ({}, {"origin": loopback.url}, {"origin": "https://evil.example"}):
            assert (await client.post(DECODE, json=PLAIN, headers=SPACE | origin)).status_code == 403
