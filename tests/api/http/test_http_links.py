"""One-click links: what they show, that only their buttons decide, and that each decides once."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from activities.records.contracts import RowState
from activities.reviews.links import LIFETIME, DecisionClaim
from temporal.client import connect
from tests.api.http.guarding import guarded_api, people
from tests.api.http.serving import temporal_server
from tests.api.http.test_http_reviewing import PLAIN, House
from tests.installation import Installation
from tests.receiver import receiver
from workers.notifications import start_delivery

pytestmark = pytest.mark.xdist_group("http-reviewing")


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    home = tmp_path_factory.mktemp("links")
    async with temporal_server(home) as address:
        installation = Installation(home, await connect(address), lambda request: "An answer.")
        async with installation.worker():
            with guarded_api(home, temporal_address=address.target) as guarded:
                await people(guarded)
                yield House(guarded, installation)


def link(house: House, run: str, person: str = "reviewer", at: datetime | None = None, **given: int) -> str:
    claim = DecisionClaim(**{"run": run, "row": "a", "attempt": 1, "round": 1, "person": person, **given})
    return house.guarded.served.services.links.link(claim, at or datetime.now(UTC)).partition("?token=")[2]


async def look(house: House, token: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.guarded.served.url, timeout=60) as mail_scanner:
        return await mail_scanner.get("/decide", params={"token": token})


async def press(house: House, token: str, kind: str = "approve", comment: str = "") -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.guarded.served.url, timeout=60) as browser:
        return await browser.post("/decide", data={"token": token, "kind": kind, "comment": comment})


async def test_looking_decides_nothing_and_the_button_decides_once(house: House) -> None:
    run = await house.submit(PLAIN, who="submitter")
    token = link(house, run)
    for _ in range(3):
        shown = await look(house, token)
        assert shown.status_code == 200
        assert "Nothing is decided yet" in shown.text
        assert "An answer." in shown.text
    assert (await house.get("viewer", f"/runs/{run}/rows/a")).json()["state"] == "review"
    done = await press(house, token)
    assert (done.status_code, "approved by reviewer" in done.text) == (200, True)
    await house.until(run, "a", "succeeded")
    rounds = (await house.get("viewer", f"/runs/{run}/reviews/a")).json()["rounds"]
    assert [entry["via"] for entry in rounds[0]["entries"] if entry["by"]] == ["link"]
    assert (await look(house, token)).status_code == 410
    assert "used already" in (await press(house, token, "reject", "no")).text


async def test_two_presses_of_one_button_are_one_decision(house: House) -> None:
    run = await house.submit({**PLAIN, "quorum": 2}, who="submitter")
    token = link(house, run)
    both = await asyncio.gather(press(house, token), press(house, token))
    assert [answer.status_code for answer in both] == [200, 200]
    review = (await house.get("viewer", f"/runs/{run}/reviews/a")).json()["rounds"][0]
    assert review["approvals"] == 1


async def test_a_refused_decision_leaves_the_link_good(house: House) -> None:
    run = await house.submit(PLAIN, who="submitter")
    token = link(house, run)
    refused = await press(house, token, "reject")
    assert (refused.status_code, "reject: a reason is missing" in refused.text) == (422, True)
    assert (await press(house, token, "reject", "wrong amount")).status_code == 200
    assert (await house.until(run, "a", "rejected"))["message"] == "rejected by reviewer: wrong amount"


@pytest.mark.parametrize(("person", "status"), [("submitter", 403), ("viewer", 403), ("nobody", 403), ("admin", 200)])
async def test_a_link_lets_nobody_do_what_they_may_not(house: House, person: str, status: int) -> None:
    run = await house.submit(PLAIN, who="submitter")
    assert (await press(house, link(house, run, person))).status_code == status


async def test_by_a_link_the_submitter_does_not_approve_own_rows_where_policy_says_so(house: House) -> None:
    run = await house.submit({"id": "a", "objective": "Pay", "risk": "critical"}, who="admin")
    refused = await press(house, link(house, run, "admin"))
    assert (refused.status_code, "wants somebody else to decide" in refused.text) == (403, True)


async def test_forged_old_and_foreign_links_decide_nothing(house: House) -> None:
    run = await house.submit(PLAIN, who="submitter")
    token = link(house, run)
    head, body, signature = token.split(".")
    old = link(house, run, at=datetime.now(UTC) - LIFETIME - timedelta(minutes=1))
    access = await house.guarded.token("admin")
    for bad in ("", "x", f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body[:-4]}AAAA.{signature}", old, access):
        assert (await look(house, bad)).status_code == 410
        assert (await press(house, bad)).status_code == 410
    assert "older than 7 days" in (await look(house, old)).text
    for stale in (link(house, run, round=2), link(house, run, attempt=2)):
        assert (await press(house, stale)).status_code >= 400
    assert (await house.get("viewer", f"/runs/{run}/rows/a")).json()["state"] == "review"


async def test_a_link_is_told_to_its_person_only_and_is_kept_nowhere(tmp_path: Path) -> None:
    async with receiver([]) as mine, receiver([]) as team, temporal_server(tmp_path) as address:
        rules = tmp_path / "rules.yaml"
        rules.write_text(
            f"channels:\n  mine: {{kind: webhook, url: '{mine.url}', secret_env: HOOK_SECRET}}\n"
            f"  team: {{kind: webhook, url: '{team.url}', secret_env: HOOK_SECRET}}\n"
            "routes: [{name: all, events: [review], channels: [team]}]\npeople: {ana: [mine]}\n"
        )
        os.environ["HOOK_SECRET"] = "any"  # noqa: S105 -- signs what nobody verifies
        installation = Installation(tmp_path, await connect(address), lambda request: "An answer.", rules)
        async with installation.worker():
            run = await installation.start("id,objective,review,reviewers\na,Pay,required,ana\n")
            await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
            async with asyncio.timeout(60):
                # A loop that finds nothing looks again after half a minute.
                while not installation.query("SELECT key FROM deliveries"):
                    await asyncio.sleep(0.05)
                loop = await start_delivery(installation.client)
                while not (mine.requests and team.requests):
                    await asyncio.sleep(0.05)
            await loop.terminate()
            own, shared = (hook.requests[0].document["notifications"][0]["link"] for hook in (mine, team))
        assert "/decide?token=" in own
        assert urlsplit(shared).path == f"/runs/{run.run}/rows/a"
        token = own.partition("token=")[2]
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or token.encode() not in file.read_bytes(), file
