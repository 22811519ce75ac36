"""Requests that no honest client sends: refused with the envelope, never a 500; and what a real 500 looks like."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from tests.api.http.serving import Serving, serving
from tests.api.http.test_http_errors import error
from tests.conftest import free_port
from workers.settings import Settings

JSON = {"content-type": "application/json"}
ROWS: list[dict[str, Any]] = [
    {"id": "a", "objective": "# not a comment;\tone\nof two", "priority": 3},
    {"id": "b", "objective": 'say "b"', "depends_on": "a", "title": None},
]


@pytest.fixture
async def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API with a bug."""

    def bug(**_: Any) -> NoReturn:
        raise ValueError("a secret inside")

    with serving(Settings(home=tmp_path, temporal_address=f"127.0.0.1:{free_port()}")) as served:
        monkeypatch.setattr(served.services.queries, "runs", bug)
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            yield client


async def test_a_bug_is_answered_like_any_fault_and_told_in_the_log(
    broken: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await broken.get("/api/v1/runs", headers={"x-request-id": "trace-500"})
    assert "secret" not in error(answer, 500, "INTERNAL")["message"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a secret inside" in caplog.text
    page = await broken.get("/", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "secret" not in page.text
    async with asyncio.timeout(60):  # A request is counted once its answer is out.
        while 'route="/api/v1/runs",status="500"' not in (await broken.get("/metrics")).text:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/runs?q=%00",
        "/api/v1/runs?before=%00",
        "/api/v1/runs/a%00b",
        "/api/v1/runs/ended/rows/%00",
        "/api/v1/runs/ended/rows?board=%00",
        "/api/v1/notifications?recipient=%00",
    ],
)
async def test_an_address_with_nul_is_refused(http: httpx.AsyncClient, path: str) -> None:
    error(await http.get(path), 400, "BAD_REQUEST")


async def test_a_position_beyond_what_a_database_counts_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/runs/ended/rows", params={"after": 2**31 - 1})).json()["rows"] == []
    error(await http.get("/api/v1/runs/ended/rows", params={"after": 2**31}), 422, "VALIDATION_FAILED")


async def test_a_wrong_method_is_told_all_the_right_ones(http: httpx.AsyncClient) -> None:
    for method, path, allowed in (
        ("PUT", "/api/v1/runs", "GET, POST"),
        ("POST", "/api/v1/runs/ended", "GET"),
        ("DELETE", "/healthz", "GET"),
    ):
        answer = await http.request(method, path)
        error(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/catalogs/validate", b'{"csv": "\\ud800"}', 400),
        ("/api/v1/catalogs/validate", b'{"csv": "a", "map": {"\\ud800": "task"}}', 400),
        ("/api/v1/provenance/verify", b'{"run": "\\udfff", "row": "x"}', 422),
        ("/api/v1/runs", b'{"csv": "a", "title": "a\\u0000b"}', 400),
        ("/api/v1/runs/going/skip", b'{"rows": ["\\u0000"]}', 422),
        ("/api/v1/runs/ended/rows/ops/review/approve", b'{"by": "a\\u0000b"}', 422),
        ("/api/v1/runs", b"[" * 200_000, 400),
        ("/api/v1/provenance/verify", b"[" * 200_000, 400),
        ("/api/v1/runs", b'{"csv": "a", "concurrency": ' + b"9" * 5000 + b"}", 400),
    ],
)
async def test_a_body_that_nothing_can_store_is_refused(
    http: httpx.AsyncClient, path: str, body: bytes, status: int
) -> None:
    error(
        await http.post(path, content=body, headers=JSON),
        status,
        "BAD_REQUEST" if status == 400 else "VALIDATION_FAILED",
    )


@pytest.mark.parametrize("digest", ["sha256:../etc/passwd", "sha256:..//dev/zero", "nonsense", "sha256:" + 65 * "0"])
async def test_no_digest_leaves_the_artifact_store(http: httpx.AsyncClient, digest: str) -> None:
    told = error(await http.post("/api/v1/provenance/verify", json={"envelope": digest}), 422, "VALIDATION_FAILED")
    assert told["details"]["faults"][0]["where"] == "body.envelope"
    assert (await http.get(f"/api/v1/artifacts/{digest}")).status_code in {404, 422}


async def test_a_catalog_can_be_rows_of_json(http: httpx.AsyncClient) -> None:
    found = (await http.post("/api/v1/catalogs/validate", json={"rows": ROWS})).json()
    assert (found["valid"], found["rows"], found["errors"]) == (True, 2, [])
    wrong = [
        *ROWS,
        {"id": "c", "objective": "x\0y"},
        {"id": "d", "depends_on": "nobody", "objective": "z"},
        {"id": "e"},
    ]
    found = (await http.post("/api/v1/catalogs/validate", json={"rows": wrong})).json()
    assert {fault["code"] for fault in found["errors"]} == {"NUL_BYTE", "INVALID_TASK_DEFINITION", "UNKNOWN_DEPENDENCY"}


@pytest.mark.parametrize("body", [{}, {"csv": "a", "rows": ROWS}, {"rows": [{"a": [1]}]}, {"rows": {}}])
async def test_a_submission_is_csv_or_rows(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    error(await http.post("/api/v1/runs", json=body), 400, "BAD_REQUEST")


@pytest.mark.parametrize("body", [{"rows": []}, {"rows": [{}]}, {"csv": ""}])
async def test_an_empty_catalog_is_invalid(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    error(await http.post("/api/v1/runs", json=body), 422, "INVALID_CATALOG")


async def test_a_header_map_that_cannot_be_read_is_told(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/api/v1/catalogs/validate?map=act=title,prompt",
        content="act,prompt\na,b\n",
        headers={"content-type": "text/csv"},
    )
    assert "'prompt'" in error(answer, 400, "BAD_REQUEST")["message"]


async def test_the_document_says_how_requests_are_authenticated(http: httpx.AsyncClient, small: Serving) -> None:
    document = (await http.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["security"] == [{}, {"bearer": []}]
    assert document["paths"]["/healthz"]["get"]["security"] == []
    async with httpx.AsyncClient(base_url=small.url, headers={"authorization": "Bearer a-token"}, timeout=60) as client:
        assert (await client.get("/openapi.json")).json()["security"] == [{"bearer": []}]


async def test_every_reference_of_the_document_leads_somewhere(http: httpx.AsyncClient) -> None:
    text = (await http.get("/openapi.json")).text
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(schemas)
    assert {"csv", "rows", "title", "run"} <= set(schemas["Submission"]["properties"])
