"""Secrets over HTTP and by the clients: set, replaced and removed, and no answer tells a value."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from activities.audit.contracts import AuditFilter
from api.client import AsyncPrismClient, PrismApiError, PrismClient
from tests.api.http.guarding import SERVICE, Guarded, guarded_api, people

CANARY = "sk-canary-over-http"


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("secrets")) as api:
        await people(api)
        yield api


async def answered(guarded: Guarded, method: str, path: str, body: Any = None) -> httpx.Response:
    async with await guarded.client("admin") as client:
        return await client.request(method, f"/api/v1/secrets{path}", json=body)


async def test_a_secret_is_set_replaced_listed_and_removed_and_no_answer_tells_it(guarded: Guarded) -> None:
    answers = [
        await answered(guarded, "PUT", "/catalogs/db", {"value": CANARY, "field": "password"}),
        await answered(guarded, "PUT", "/catalogs/db", {"value": f"{CANARY}-2", "field": "user"}),
        await answered(guarded, "POST", "/catalogs/db/rotate", {"field": "password"}),
        await answered(guarded, "GET", ""),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["version"] for answer in answers[:3]] == [1, 2, 3]
    (listed,) = [one for one in answers[3].json()["secrets"] if one["name"] == "catalogs/db"]
    assert (listed["counting"], listed["state"], listed["own"]) == ([3, 2, 1], "fresh", False)
    async with guarded.browser("admin") as browser:
        page = await browser.get("/secrets")
    assert "catalogs/db" in page.text
    kept = await guarded.served.services.secrets._store.get("catalogs/db")
    values = [value.get_secret_value() for value in kept.fields.values()]
    for value in (CANARY, *values):
        assert value not in page.text + "".join(answer.text for answer in answers)
    assert (await answered(guarded, "DELETE", "/catalogs/db")).json() == {"accepted": True}
    assert (await answered(guarded, "DELETE", "/catalogs/db")).status_code == 404
    entries = await guarded.served.services.audit.page(AuditFilter(kinds=("secret",), actor="admin"))
    assert [entry.kind for entry in entries if entry.subject == "secret/catalogs/db"] == [
        *("secret.deleted", "secret.rotated", "secret.set", "secret.set")
    ]
    assert CANARY not in "".join(entry.model_dump_json() for entry in entries)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", f"/{CANARY.upper()}", {"value": CANARY}, 400),
        ("PUT", "/one", {"value": ""}, 422),
        ("PUT", "/one", {"value": CANARY, "feild": "x"}, 422),
        ("PUT", "/one", {"value": [CANARY]}, 422),
        ("PUT", "/one", {"value": f"{CANARY}" + 70_000 * "x"}, 422),
        ("POST", "/gone/rotate", {"value": CANARY}, 404),
    ],
)
async def test_what_is_refused_is_not_repeated(
    guarded: Guarded, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    refused = await answered(guarded, method, path, body)
    assert refused.status_code == status
    assert CANARY not in refused.text
    assert CANARY.upper() not in refused.text


async def test_there_is_no_way_to_read_a_value(guarded: Guarded) -> None:
    await answered(guarded, "PUT", "/readable", {"value": CANARY})
    assert (await answered(guarded, "GET", "/readable")).status_code == 405


async def test_both_clients_do_the_same(guarded: Guarded) -> None:
    url = guarded.served.url
    async with AsyncPrismClient(url, token=SERVICE) as client:
        assert (await client.secrets.set("webhooks/a", CANARY)).version == 1
        assert (await client.secrets.rotate("webhooks/a")).version == 2
        assert [one.version for one in await client.secrets.list() if one.name == "webhooks/a"] == [2]
        assert (await client.secrets.delete("webhooks/a")).accepted
        with pytest.raises(PrismApiError, match="there is no secret"):
            await client.secrets.delete("webhooks/a")


def test_the_blocking_client_too(guarded: Guarded) -> None:
    with PrismClient(guarded.served.url, token=SERVICE) as client:
        assert client.secrets.set("webhooks/b", CANARY, field="key").version == 1
        assert client.secrets.rotate("webhooks/b", "other", field="key").version == 2
        assert [one.own for one in client.secrets.list() if one.name == "webhooks/b"] == [True]
        assert client.secrets.delete("webhooks/b").accepted
