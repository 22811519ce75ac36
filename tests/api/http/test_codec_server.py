"""The codec server: Temporal Web is shown plain text, and no other site's page is."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from temporal.codec import EncryptionCodec
from temporal.key_ring import KeyRing, rotate
from tests.api.http.guarding import Guarded, guarded_api, people
from tests.api.http.serving import Serving, serving
from workers.settings import Settings

WEB = "http://127.0.0.1:8233"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"the treaty is signed"')


def wire(payload: Payload) -> dict[str, object]:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


async def encrypted(settings: Settings, namespace: str = "") -> dict[str, object]:
    codec = EncryptionCodec(KeyRing.open(settings.encryption_keys), namespace or settings.temporal_namespace)
    return wire((await codec.encode([PLAIN]))[0])


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    with serving(Settings(home=tmp_path, encryption="on")) as served:
        yield served


@pytest.fixture
async def http(served: Serving) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{served.url}/api/v1/codec", headers={"origin": WEB}, timeout=60) as http:
        yield http


async def test_what_was_encrypted_comes_back_in_plain_text_also_after_a_rotation(
    served: Serving, http: httpx.AsyncClient
) -> None:
    old = await encrypted(served.settings)
    rotate(served.settings.encryption_keys)
    body = {"payloads": [old, await encrypted(served.settings), wire(PLAIN)]}
    answer = await http.post("/decode", json=body, headers={"x-namespace": "default"})
    assert answer.json() == {"payloads": [wire(PLAIN)] * 3}
    assert answer.headers["access-control-allow-origin"] == WEB
    assert answer.headers["vary"] == "origin"


async def test_what_is_encoded_can_be_decoded(http: httpx.AsyncClient) -> None:
    body = (await http.post("/encode", json={"payloads": [wire(PLAIN)]})).json()
    assert base64.b64decode(body["payloads"][0]["metadata"]["encoding"]) == b"binary/encrypted"
    assert (await http.post("/decode", json=body)).json() == {"payloads": [wire(PLAIN)]}


@pytest.mark.parametrize("origin", [WEB, "http://localhost:8233"])
async def test_a_browser_that_asks_for_temporal_web_may_ask(http: httpx.AsyncClient, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "x-namespace"}
    answer = await http.options("/decode", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, origin)
    assert "x-namespace" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:8234", "https://127.0.0.1:8233", "null", f"{WEB}.evil.example"]
)
async def test_no_other_sites_page_may_ask_or_read(http: httpx.AsyncClient, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in (await http.options("/decode", headers=asked)).headers
    answer = await http.post("/decode", json={"payloads": []}, headers={"origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


async def test_temporal_webs_origin_opens_nothing_else(served: Serving) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"origin": WEB}, timeout=60) as http:
        answer = await http.post("/api/v1/notifications/read", json={"keys": []})
        read = await http.get("/api/v1/runs")
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in read.headers


async def test_what_cannot_be_decrypted_is_told_without_what_it_holds(served: Serving, http: httpx.AsyncClient) -> None:
    changed = await encrypted(served.settings, "another-namespace")
    answer = await http.post("/decode", json={"payloads": [changed]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "PAYLOAD_TAMPERED")
    unknown = changed | {"metadata": changed["metadata"] | {"encryption-key-id": base64.b64encode(b"0" * 16).decode()}}  # type: ignore[operator]
    answer = await http.post("/decode", json={"payloads": [unknown]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "UNKNOWN_ENCRYPTION_KEY")
    answer = await http.post("/decode", json={"payloads": [{"data": "no base64!"}]})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "a payload is not base64")


async def test_another_namespaces_payloads_are_not_looked_at(http: httpx.AsyncClient) -> None:
    answer = await http.post("/decode", json={"payloads": []}, headers={"x-namespace": "theirs"})
    assert answer.status_code == 404


async def test_where_nothing_was_ever_encrypted_there_is_nothing_to_decrypt(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path)) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
            answer = await http.post("/api/v1/codec/decode", json={"payloads": []})
    assert answer.status_code == 404
    assert not Settings(home=tmp_path).encryption_keys.exists()


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path, encryption="on", temporal_ui_url=WEB) as api:
        await people(api)
        yield api


async def test_people_who_may_decrypt_with_their_session_from_temporal_web_and_it_is_recorded(guarded: Guarded) -> None:
    body = {"payloads": [await encrypted(guarded.served.settings)]}
    headers = {"origin": WEB, "accept": "application/json"}
    async with guarded.browser("operator") as browser:
        for _ in range(3):
            answer = await browser.post("/api/v1/codec/decode", json=body, headers=headers)
            assert answer.json() == {"payloads": [wire(PLAIN)]}
        # The session alone is not enough anywhere else.
        steered = await browser.post("/api/v1/runs/r/pause", json={}, headers={"accept": "application/json"})
        assert steered.status_code == 403
    async with guarded.browser("viewer") as browser:
        assert (await browser.post("/api/v1/codec/decode", json=body, headers=headers)).status_code == 403
    async with await guarded.client("admin") as client:
        entries = (await client.get("/api/v1/audit", params={"kind": "payloads"})).json()["entries"]
    assert {entry["actor"] for entry in entries} == {"operator"}
    assert 1 <= len(entries) <= 2, "once a minute"
