"""Every fault has the one envelope, whoever answers: route, framework or gatekeeper."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.http.serving import Serving

TOKEN = {"authorization": "Bearer a-token"}


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    told: dict[str, Any] = body["error"]
    assert set(told) == {"code", "message", "details", "trace_id", "timestamp"}
    assert told["code"] == code
    assert told["message"]
    assert told["trace_id"] == answer.headers["x-request-id"]
    return told


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "code"),
    [
        (
            "POST",
            "/api/v1/runs",
            {"content": b"{", "headers": {"content-type": "application/json"}},
            400,
            "BAD_REQUEST",
        ),
        ("POST", "/api/v1/runs", {"json": {"csv": "a", "colour": 1}}, 400, "BAD_REQUEST"),
        ("POST", "/api/v1/provenance/verify", {"json": {}}, 400, "BAD_REQUEST"),
        ("GET", "/api/v1/runs/nothing", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/runs/nothing/rows", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/runs/nothing/events", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/runs/nothing/results", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/runs/ended/rows/not/there", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/nothing", {}, 404, "NOT_FOUND"),
        ("GET", "/api/v1/artifacts/sha256:" + 64 * "0", {}, 404, "ARTIFACT_NOT_FOUND"),
        ("DELETE", "/api/v1/runs", {}, 405, "METHOD_NOT_ALLOWED"),
        (
            "POST",
            "/api/v1/runs",
            {"content": b"x", "headers": {"content-type": "image/png"}},
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("POST", "/api/v1/runs", {"json": {"csv": "task\nx\n"}}, 422, "INVALID_CATALOG"),
        ("GET", "/api/v1/runs?limit=0", {}, 422, "VALIDATION_FAILED"),
        ("GET", "/api/v1/artifacts/sha256:short", {}, 422, "VALIDATION_FAILED"),
        ("POST", "/api/v1/runs/going/concurrency", {"json": {"limit": 0}}, 422, "VALIDATION_FAILED"),
        ("POST", "/api/v1/runs/ended/pause", {}, 409, "CONFLICT"),
        ("POST", "/api/v1/runs/ended/rows/ops/failed/approve", {"json": {"by": "me"}}, 409, "CONFLICT"),
    ],
)
async def test_a_fault_has_the_envelope(
    http: httpx.AsyncClient, method: str, path: str, request_: dict[str, Any], status: int, code: str
) -> None:
    error(await http.request(method, path, **request_), status, code)


async def test_a_foreign_origin_may_read_nothing_and_change_nothing(http: httpx.AsyncClient) -> None:
    foreign = {"origin": "https://elsewhere.example"}
    error(await http.post("/api/v1/runs/going/pause", headers=foreign), 403, "FORBIDDEN")
    read = await http.get("/api/v1/runs", headers=foreign)
    assert "access-control-allow-origin" not in read.headers


async def test_the_same_origin_may_post(http: httpx.AsyncClient) -> None:
    same = {"origin": str(http.base_url).rstrip("/")}
    answer = await http.post("/api/v1/catalogs/validate", json={"csv": "task,objective\na,b\n"}, headers=same)
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:80", "127.0.0.1.rebound.example", ""])
async def test_a_foreign_host_is_refused(http: httpx.AsyncClient, host: str) -> None:
    error(await http.get("/api/v1/runs", headers={"host": host}), 403, "FORBIDDEN")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-token"}])
async def test_a_token_is_asked_for(small: Serving, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=small.url, timeout=60) as client:
        for path in ("/api/v1/runs", "/metrics", "/openapi.json", "/api/v1/events"):
            error(await client.get(path, headers=headers), 401, "UNAUTHENTICATED")
        assert (await client.get("/healthz", headers=headers)).status_code == 200


async def test_the_token_opens(small: Serving) -> None:
    async with httpx.AsyncClient(base_url=small.url, timeout=60) as client:
        assert (await client.get("/api/v1/runs", headers=TOKEN)).json() == {"runs": [], "next": None}


async def test_a_declared_large_body_is_refused_unread(small: Serving) -> None:
    async with httpx.AsyncClient(base_url=small.url, headers=TOKEN, timeout=60) as client:
        error(await client.post("/api/v1/runs", json={"csv": 3000 * "x"}), 413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/runs", "application/json"),
        ("/api/v1/runs", "text/csv"),
        ("/api/v1/catalogs/validate", "multipart/form-data; boundary=x"),
        ("/api/v1/provenance/verify", "application/json"),
    ],
)
async def test_an_undeclared_large_body_is_cut_off(small: Serving, path: str, kind: str) -> None:
    async def body() -> Any:
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(4):
            yield 1000 * b"x"
            await asyncio.sleep(0)

    async with httpx.AsyncClient(base_url=small.url, headers=TOKEN, timeout=60) as client:
        answer = await client.post(path, content=body(), headers={"content-type": kind})
    error(answer, 413, "BODY_TOO_LARGE")


async def test_temporal_away_is_told_and_nothing_is_lost(http: httpx.AsyncClient) -> None:
    error(await http.post("/api/v1/runs/going/pause"), 503, "TEMPORAL_UNAVAILABLE")
    assert (await http.get("/api/v1/runs/going")).json()["state"] == "running"


async def test_a_request_id_is_echoed_and_a_bad_one_is_replaced(http: httpx.AsyncClient) -> None:
    mine = await http.get("/api/v1/runs/nothing", headers={"x-request-id": "trace-1"})
    assert error(mine, 404, "NOT_FOUND")["trace_id"] == "trace-1"
    for bad in ("a b", "x" * 65, '"><script>'):
        replaced = (await http.get("/healthz", headers={"x-request-id": bad})).headers["x-request-id"]
        assert len(replaced) == 32


@pytest.mark.parametrize("path", ["/", "/api/v1/runs", "/healthz", "/api/v1/nothing", "/static/base.css", "/docs"])
async def test_every_answer_has_the_security_headers(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"].partition("style-src")[0]
