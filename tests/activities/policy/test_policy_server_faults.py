"""A policy server that fails admits nothing, quickly, and is left alone while it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from pydantic import SecretStr

from activities.policy.contracts import InvalidPolicyServer, PolicyUnavailable
from activities.policy.server import OpaServerPolicy, PolicyServer, open_opa_server
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals
from tests.conftest import free_port

ROW = CatalogRow(id="a", line=2, objective="Summarise")
DIGEST = "sha256:" + "0" * 64
DECISION = {"allow": True, "deny": [], "review": []}
WHOLE = {"result": DECISION, "provenance": {"bundles": {"prism": {"revision": DIGEST}}}, "decision_id": "one"}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Scripted:
    """A policy server that answers as a test says, and counts."""

    answer: Answer
    url: str = ""
    asked: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.headers = dict(request.headers)
        return await self.answer(request)


def says(body: object, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def garbage(_: web.Request) -> web.StreamResponse:
    return web.Response(text="{<html>", content_type="application/json")


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


@asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[Scripted]:
    server = Scripted(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.url = f"http://127.0.0.1:{port}"
        yield server
    finally:
        await runner.cleanup()


async def refusal(policy: OpaServerPolicy) -> str:
    with pytest.raises(PolicyUnavailable) as raised:
        await policy.admit(ROW, "ana")
    return raised.value.message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (says({"code": "internal_error"}, status=500), "answered 500"),
        (says({"code": "unauthorized"}, status=401), "answered 401"),
        (hangs, "no answer within 0.3 s"),
        (garbage, "no JSON"),
        (cut, "cannot be reached"),
        (says(["allow"]), "no JSON object"),
        (says({}), "does not say which policy decided"),
        (says(WHOLE | {"result": None}), "gave no decision"),
        (says(WHOLE | {"result": {"allow": True}}), "gave no decision"),
        (says(WHOLE | {"result": DECISION | {"deny": [1]}}), "gave no decision"),
        (says(WHOLE | {"provenance": {"bundles": {}}}), "does not say which policy decided"),
        (says(WHOLE | {"provenance": {"bundles": {"prism": {"revision": "v7"}}}}), "does not say which policy decided"),
    ],
)
async def test_what_is_no_whole_answer_admits_nothing(answer: Answer, told: str) -> None:
    async with scripted(answer) as server, open_opa_server(PolicyServer(server.url, timeout=0.3)) as policy:
        assert told in await refusal(policy)


async def test_a_server_that_is_down_admits_nothing() -> None:
    async with open_opa_server(PolicyServer(f"http://127.0.0.1:{free_port()}")) as policy:
        assert "cannot be reached" in await refusal(policy)


async def test_an_answer_that_allows_and_denies_is_a_denial() -> None:
    torn = WHOLE | {"result": DECISION | {"deny": ["no"]}}
    async with scripted(says(torn)) as server, open_opa_server(PolicyServer(server.url)) as policy:
        assert not (await policy.admit(ROW, "ana")).allow


async def test_only_true_allows() -> None:
    torn = WHOLE | {"result": DECISION | {"allow": "true"}}
    async with scripted(says(torn)) as server, open_opa_server(PolicyServer(server.url)) as policy:
        assert not (await policy.admit(ROW, "ana")).allow


@pytest.mark.parametrize("result", [None, *({"allow": True} | one for one in ({}, {"deny": {}}, {"deny": [1]}))])
async def test_a_server_that_knows_no_catalogs_lets_none_start(result: object) -> None:
    async with (
        scripted(says(WHOLE | {"result": result})) as server,
        open_opa_server(PolicyServer(server.url)) as policy,
    ):
        with pytest.raises(PolicyUnavailable, match="gave no decision"):
            await policy.admit_catalog(CatalogTotals(rows=1), "ana")


async def test_a_failing_server_is_left_alone_and_asked_again_later() -> None:
    async with scripted(says({}, status=500)) as server:
        limits = PolicyServer(server.url, failures=3, recovery=0.2)
        async with open_opa_server(limits) as policy:
            for _ in range(3):
                assert "answered 500" in await refusal(policy)
            assert "left alone" in await refusal(policy)
            assert server.asked == 3
            server.answer = says(WHOLE)
            async with asyncio.timeout(60):
                while "left alone" in await outcome(policy):
                    await asyncio.sleep(0.02)
            assert await outcome(policy) == "allowed"


async def outcome(policy: OpaServerPolicy) -> str:
    try:
        return "allowed" if (await policy.admit(ROW, "ana")).allow else "denied"
    except PolicyUnavailable as error:
        return error.message


async def test_the_token_is_sent_and_never_told() -> None:
    async with scripted(says({}, status=403)) as server:
        limits = PolicyServer(server.url, SecretStr("hunter2"))
        async with open_opa_server(limits) as policy:
            assert "hunter2" not in await refusal(policy) + repr(limits)
        assert server.headers["Authorization"] == "Bearer hunter2"


@pytest.mark.parametrize(
    "url", ["", "opa:8181", "ftp://opa", "http://opa/v1", "http://me:pw@opa", "http://opa:many", "http://"]
)
async def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidPolicyServer, match="PRISM_OPA_URL"):
        async with open_opa_server(PolicyServer(url)):
            pass
