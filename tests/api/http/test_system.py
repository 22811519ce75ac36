"""What the installation tells of itself."""

from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from api.system import shown_settings
from temporal.client import connect
from temporal.names import TaskQueue
from tests.api.http.guarding import guarded_api, people
from tests.api.http.serving import serving, temporal_server
from tests.installation import Installation
from workers.settings import Settings


async def test_queues_tell_who_serves_them(tmp_path: Path) -> None:
    async with temporal_server(tmp_path) as address:
        installation = Installation(tmp_path, await connect(address), lambda _: "x")
        settings = Settings(home=tmp_path, temporal_address=address.target)
        with serving(settings) as served:
            async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
                alone = (await http.get("/api/v1/system")).json()
                assert [queue["queue"] for queue in alone["queues"]] == [
                    queue.value for queue in TaskQueue if queue is not TaskQueue.NOTIFICATIONS
                ]
                assert all(queue["pollers"] == [] and not queue["problem"] for queue in alone["queues"])
                async with installation.worker():
                    found = await _served(http)
        assert found[TaskQueue.WORKFLOWS] == {"workflows", "activities"}
        assert found[TaskQueue.MODEL] == {"activities"}


async def _served(http: httpx.AsyncClient) -> dict[str, set[str]]:
    """What is taken from each queue, once each is served: the two polls of one worker arrive one after the other."""
    for _ in range(100):
        queues = (await http.get("/api/v1/system")).json()["queues"]
        takes = {queue["queue"]: {kind for one in queue["pollers"] for kind in one["takes"]} for queue in queues}
        if all(takes.values()) and len(takes[TaskQueue.WORKFLOWS]) > 1:
            return takes
    raise AssertionError(queues)


async def test_without_temporal_the_rest_is_told_all_the_same(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path, temporal_address="127.0.0.1:1")) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
            found = (await http.get("/api/v1/system")).json()
            page = await http.get("/system", headers={"accept": "text/html"})
    assert all(queue["problem"].startswith("Temporal ") for queue in found["queues"])
    assert [policy["name"] for policy in found["policies"]] == ["admission", "authz"]
    assert all(policy["digest"].startswith("sha256:") for policy in found["policies"])
    assert page.status_code == 200
    assert "Temporal " in page.text


async def test_only_administrators_are_told_settings(tmp_path: Path) -> None:
    told = {}
    with guarded_api(tmp_path) as guarded:
        await people(guarded)
        for who in ("viewer", "admin"):
            async with await guarded.client(who) as client:
                told[who] = (await client.get("/api/v1/system")).json()["settings"]
    assert told["viewer"] == []
    assert {one["name"] for one in told["admin"]} >= {"PRISM_AUTH", "PRISM_HOME"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://prism:hunter2@db.example/prism", "postgresql://prism:***@db.example/prism"),
        ("postgresql://db.example/prism?password=hunter2", "postgresql://db.example/prism?***"),
        ("postgresql://prism@db.example/prism", "postgresql://prism@db.example/prism"),
    ],
)
def test_no_secret_is_among_the_settings(url: str, told: str) -> None:
    settings = Settings(database_url=url, api_token=SecretStr("hunter2"), model_key=SecretStr("hunter2"))
    shown = {one.name: one for one in shown_settings(settings)}
    assert "hunter2" not in str(shown)
    assert shown["PRISM_DATABASE_URL"].value == told
    assert (shown["PRISM_API_TOKEN"].value, shown["PRISM_API_TOKEN"].chosen) == ("set", True)
    assert (shown["PRISM_TEMPORAL_API_KEY"].value, shown["PRISM_TEMPORAL_API_KEY"].chosen) == ("", False)
