"""The audit log over HTTP and as a page: who may read it, what requests leave in it, what tampering looks like."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from activities.audit.export import verify_export
from activities.audit.signing import PublicKeys
from activities.provenance.keyfile import KeyFileSigner
from activities.records.contracts import RowState, RunState
from api.client import AsyncPrismClient, PrismClient
from tests.api.http.guarding import PASSWORD, Guarded, guarded_api, people
from tests.api.http.seeding import Seed, Seeder


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path) as api:
        await people(api)
        seeder = Seeder(api.served.settings, api.served.services.stores)
        rows = [Seed("ops/a", "A", "a", output="x"), Seed("ops/b", "B", "b", state=RowState.PENDING)]
        await seeder.run("done", "Done", rows, state=RunState.COMPLETED, minutes_ago=1, submitter="<b>sam</b>")
        yield api


def blocking(guarded: Guarded, token: str) -> PrismClient:
    return PrismClient(guarded.served.url, token=token)


async def test_a_refusal_is_recorded_once_a_minute_with_who_was_refused(guarded: Guarded) -> None:
    async with await guarded.client("viewer") as client:
        for _ in range(3):
            assert (await client.post("/api/v1/runs/done/pause")).status_code == 403
        assert (await client.get("/api/v1/audit")).status_code == 403
    async with await guarded.client("admin") as client:
        found = (await client.get("/api/v1/audit", params={"kind": "access"})).json()["entries"]
    assert {(one["actor"], one["subject"]) for one in found} == {
        ("viewer", "/api/v1/audit"),
        ("viewer", "/api/v1/runs/done/pause"),
    }
    assert len(found) <= 3
    assert found[0]["detail"]["action"] == "audit.read"


async def test_what_an_administrator_does_is_recorded_in_their_name(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        assert (await client.post("/api/v1/users", json={"name": "eve", "roles": ["viewer"]})).status_code == 201
        assert (await client.patch("/api/v1/users/eve", json={"disabled": True})).status_code == 200
        assert (await client.post("/api/v1/auth/tokens", json={"title": "ci", "scopes": []})).status_code in {201, 422}
        found = (await client.get("/api/v1/audit", params={"actor": "admin", "kind": "user"})).json()["entries"]
    assert [(one["kind"], one["subject"]) for one in found] == [
        ("user.changed", "user/eve"),
        ("user.created", "user/eve"),
    ]


async def test_a_login_by_the_form_and_a_failed_one_are_recorded(guarded: Guarded) -> None:
    async with guarded.browser("admin", PASSWORD) as browser:
        page = (await browser.get("/audit")).text
    assert "login.succeeded" in page
    async with await guarded.client() as client:
        assert (await client.post("/api/v1/auth/login", json={"user": "admin", "password": "x"})).status_code == 401
    async with await guarded.client("admin") as client:
        newest = (await client.get("/api/v1/audit", params={"kind": "login.failed"})).json()["entries"][0]
    assert (newest["actor"], newest["subject"]) == ("nobody", "user/admin")


async def test_the_list_is_paged_and_filtered(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        first = (await client.get("/api/v1/audit", params={"limit": 3})).json()
        second = (await client.get("/api/v1/audit", params={"limit": 3, "before": first["next"]})).json()
        numbers = [one["sequence"] for one in first["entries"] + second["entries"]]
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) == 6
        future = await client.get("/api/v1/audit", params={"since": "2999-01-01"})
        assert future.json() == {"entries": [], "next": None}
        for wrong in ("yesterday", "2026-13-01", "0001-01-01T00:00+14:00"):
            assert (await client.get("/api/v1/audit", params={"since": wrong})).status_code in {400, 422}


async def test_the_clients_read_verify_and_export(guarded: Guarded, tmp_path: Path) -> None:
    token = await guarded.token("admin")
    with blocking(guarded, token) as client:
        page = client.audit.entries(kind="policy")
        assert [entry.actor for entry in page.entries] == ["policy"]
        lines = b"".join(client.audit.export()).splitlines(keepends=True)
        report = client.audit.verify()
        assert report.valid
        assert report.anchored > 0
    key = KeyFileSigner.open(guarded.served.settings.signing_key).public_key_pem
    offline = verify_export(lines, PublicKeys([key]))
    assert (offline.valid, offline.complete) == (True, True)
    assert b'"kind":"audit.exported"' in lines[-2]
    async with AsyncPrismClient(guarded.served.url, token=token) as later:
        assert (await later.audit.verify()).valid
        assert (await later.audit.entries(limit=1)).next
        part = b"".join([chunk async for chunk in later.audit.export(kind=["user"])])
    report = verify_export(part.splitlines(keepends=True), PublicKeys([key]))
    assert (report.valid, report.complete) == (True, False)


async def test_tampering_is_told_and_still_exported(guarded: Guarded) -> None:
    engine = guarded.served.services.stores.engine
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("UPDATE audit_entries SET actor = 'mallory' WHERE sequence = 2"))
    async with await guarded.client("admin") as client:
        report = (await client.post("/api/v1/audit/verify")).json()
        assert (report["valid"], [one["sequence"] for one in report["faults"]]) == (False, [2])
        exported = (await client.get("/api/v1/audit/export")).text
    assert "mallory" in exported
    assert '"checkpoint":null' in exported


async def test_the_page_escapes_what_it_shows_and_is_for_administrators(guarded: Guarded) -> None:
    async with await guarded.client("admin") as client:
        page = (await client.get("/audit", params={"kind": "run"}, headers={"accept": "text/html"})).text
        assert "&lt;b&gt;sam&lt;/b&gt;" in page
        assert "<b>sam</b>" not in page
        assert "policy.decided" not in page.partition("<tbody>")[2]
        assert 'href="/audit" aria-current="page"' in page
    async with await guarded.client("viewer") as client:
        assert (await client.get("/audit")).status_code == 403
        assert 'href="/audit"' not in (await client.get("/", headers={"accept": "text/html"})).text
