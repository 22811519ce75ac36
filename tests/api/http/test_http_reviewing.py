"""Reviews over HTTP, with logins, a real Temporal server and a worker: every path meets the same checks."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.identity.contracts import Role
from activities.llm.contracts import ModelRequest
from api import reviewing
from temporal.client import connect
from temporal.contract import run_workflow_id
from tests.api.http.guarding import PASSWORD, Guarded, guarded_api, people
from tests.api.http.serving import temporal_server
from tests.installation import Installation
from workflows.catalog import CatalogWorkflow

pytestmark = pytest.mark.xdist_group("http-reviewing")
RULES = """
roles: {cfo: [cara], treasury-lead: [ben]}
rules:
  - {name: hedging, board: treasury, reviewers: [role:cfo, role:treasury-lead], approvals: all}
"""


class House:
    """A guarded API, its installation, and requests in people's names."""

    def __init__(self, guarded: Guarded, installation: Installation) -> None:
        self.guarded = guarded
        self.installation = installation

    async def post(self, who: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        async with await self.guarded.client(who) as client:
            return await client.post(f"/api/v1{path}", json=body, headers=headers)

    async def get(self, who: str, path: str, **params: str) -> httpx.Response:
        async with await self.guarded.client(who) as client:
            return await client.get(f"/api/v1{path}", params=params)

    async def submit(self, *rows: dict[str, Any], who: str = "sam") -> str:
        answer = await self.post(who, "/runs", {"rows": list(rows)})
        assert answer.status_code == 201, answer.text
        run: str = answer.json()["run"]
        for row in rows:
            await self.until(run, row["id"], "review")
        return run

    async def until(self, run: str, row: str, state: str, round_: int = 0) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while True:
                found = (await self.get("admin", f"/runs/{run}/rows/{row}")).json()
                rounds = (await self.get("admin", f"/runs/{run}/reviews/{row}")).json().get("rounds", [])
                if found.get("state") == state and (not round_ or (rounds and rounds[-1]["round"] == round_)):
                    return dict(found)
                await asyncio.sleep(0.05)

    async def decide(self, who: str, run: str, row: str = "a", **body: Any) -> httpx.Response:
        return await self.post(who, f"/runs/{run}/rows/{row}/decide", body)


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    home = tmp_path_factory.mktemp("house")
    rules = home / "approvals.yaml"
    rules.write_text(RULES)
    async with temporal_server(home) as address:
        installation = Installation(home, await connect(address), lambda request: "An answer.", approvals=rules)
        async with installation.worker():
            settings = {"temporal_address": address.target, "approval_rules": rules}
            with guarded_api(home, **settings) as guarded:
                await people(guarded)
                users = guarded.served.services.identity.users
                for name in ("ben", "cara"):
                    await users.create(name, [Role.REVIEWER])
                hashed = await guarded.served.services.identity.passwords.hashed(PASSWORD)
                await users.create("sam", [Role.SUBMITTER, Role.REVIEWER], password=hashed)
                yield House(guarded, installation)


CRITICAL = {"id": "a", "objective": "Pay", "risk": "critical"}
PLAIN = {"id": "a", "objective": "Pay", "review": "required"}


@pytest.mark.parametrize("path", ["decide", "approve", "bulk", "cli", "page"])
async def test_on_no_path_the_submitter_approves_own_rows_where_policy_says_so(house: House, path: str) -> None:
    run = await house.submit(CRITICAL)
    message = "sam submitted this run, and the policy wants somebody else to decide"
    if path == "bulk":
        body = {"kind": "approve", "reviews": [{"run": run, "row": "a"}]}
        result = (await house.post("sam", "/reviews/decide", body)).json()["results"][0]
        assert (result["ok"], result["code"], result["message"]) == (False, "OWN_ROW", message)
    elif path == "cli":
        token = await house.guarded.token("sam")
        code, told = await command(house, token, "approve", run, "a", "--by", "sam")
        assert (code, message in told) == (1, True)
    elif path == "page":
        async with house.guarded.browser("sam") as browser:
            page = (await browser.get(f"/runs/{run}/rows/a")).text
            token = page.partition('name="csrf-token" content="')[2][:64]
            answer = await browser.post(
                f"/api/v1/runs/{run}/rows/a/decide", json={"kind": "approve"}, headers={"x-csrf-token": token}
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "OWN_ROW")
    else:
        answer = await house.post("sam", f"/runs/{run}/rows/a/{path}", {"kind": "approve"} if path == "decide" else {})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "OWN_ROW")
    done = await house.decide("reviewer", run, kind="approve")
    assert (done.status_code, done.json()["state"]) == (200, "approved")


async def command(house: House, token: str, *arguments: str) -> tuple[int | None, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRISM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.cli.main",
        *arguments,
        env={
            **kept,
            "PRISM_API_TOKEN": token,
            "PRISM_API_URL": house.guarded.served.url,
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, told = await process.communicate()
    return process.returncode, (output + told).decode().replace("\n", " ")


async def test_a_rule_wants_both_and_the_inbox_shows_whom(house: House) -> None:
    run = await house.submit({"id": "a", "objective": "Hedge", "board": "treasury", "reviewers": "sam"})
    for who, count in (("cara", 1), ("ben", 1), ("sam", 0)):
        found = (await house.get(who, "/reviews", mine="true", run=run)).json()
        assert (found["waiting"], len(found["reviews"])) == (count, count), who
    refused = await house.decide("sam", run, kind="approve")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "NOT_A_REVIEWER")
    first = (await house.decide("cara", run, kind="approve", comment="fine")).json()
    assert (first["state"], first["message"]) == ("waiting", "1 of 2 approvals")
    twice = await house.decide("cara", run, kind="approve")
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "ALREADY_DECIDED")
    assert (await house.decide("ben", run, kind="approve")).json()["state"] == "approved"
    await house.until(run, "a", "succeeded")
    closed = await house.decide("ben", run, kind="approve")
    assert (closed.status_code, closed.json()["error"]["code"]) == (409, "CONFLICT")


async def test_a_story_of_changes_and_an_edit(house: House) -> None:
    answers = iter(["First.", "Second."])
    house.installation.model.answer = lambda request: next(answers)
    run = await house.submit(PLAIN)
    missing = await house.decide("reviewer", run, kind="request_changes")
    assert (missing.status_code, missing.json()["error"]["message"]) == (422, "request changes: feedback is missing")
    await house.decide("reviewer", run, kind="request_changes", comment="shorter", round=1)
    await house.until(run, "a", "review", 2)
    stale = await house.decide("reviewer", run, kind="approve", round=1)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "STALE_ROUND")
    assert (await house.decide("reviewer", run, kind="edit", output="Mine.", round=2)).json()["state"] == "approved"
    assert (await house.until(run, "a", "succeeded"))["output"] == "Mine."
    rounds = (await house.get("viewer", f"/runs/{run}/reviews/a")).json()["rounds"]
    assert [(one["output"], one["state"]) for one in rounds] == [
        ("First.", "changes_requested"),
        ("Second.", "approved"),
    ]
    assert [entry["via"] for entry in rounds[1]["entries"] if entry["by"]] == ["api"]


async def test_the_same_request_twice_is_one_decision_with_one_answer(house: House) -> None:
    house.installation.model.answer = lambda request: "An answer."
    run = await house.submit({**PLAIN, "quorum": 2})
    path, body = f"/runs/{run}/rows/a/decide", {"kind": "approve"}
    first, second = [await house.post("ben", path, body, **{"idempotency-key": "k"}) for _ in range(2)]
    assert first.json() == second.json()
    assert (first.status_code, first.json()["approvals"]) == (200, 1)


async def test_of_many_each_row_decides_by_itself(house: House) -> None:
    run = await house.submit(
        {"id": "a", "board": "ops", "objective": "One", "review": "required"},
        {"id": "b", "board": "ops", "objective": "Two", "review": "required", "reviewers": "cara"},
        {"id": "c", "board": "ops", "objective": "Three", "risk": "critical"},
    )
    body = {"kind": "approve", "reviews": [{"run": run, "row": row} for row in ("a", "b", "c", "none")]}
    found = (await house.post("sam", "/reviews/decide", body)).json()
    assert (found["decided"], found["refused"]) == (1, 3)
    assert [one["code"] for one in found["results"]] == ["", "NOT_A_REVIEWER", "OWN_ROW", "NOT_FOUND"]
    every = {"kind": "reject", "comment": "all off", "every": True, "run": run}
    found = (await house.post("cara", "/reviews/decide", every)).json()
    assert (found["decided"], found["refused"]) == (2, 0)
    await house.until(run, "c", "rejected")


async def test_what_is_not_about_one_text_only_is_asked_of_many(house: House) -> None:
    for body in ({"kind": "approve"}, {"kind": "edit", "every": True}):
        assert (await house.post("sam", "/reviews/decide", body)).status_code == 422


async def test_of_two_at_once_one_wins_and_both_are_told(house: House) -> None:
    run = await house.submit(PLAIN)
    both = await asyncio.gather(
        house.decide("ben", run, kind="approve"), house.decide("cara", run, kind="reject", comment="no")
    )
    assert sorted(answer.status_code for answer in both) == [200, 409]
    loser = next(answer for answer in both if answer.status_code == 409).json()["error"]
    assert loser["code"] in {"REVIEW_NOT_OPEN", "CONFLICT"}


async def test_a_decision_while_no_worker_runs_is_kept_and_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewing, "ANSWER_WITHIN", timedelta(seconds=1))

    def answer(request: ModelRequest) -> str:
        return "An answer."

    async with temporal_server(tmp_path) as address:
        installation = Installation(tmp_path, await connect(address), answer)
        with guarded_api(tmp_path, temporal_address=address.target) as guarded:
            house = House(guarded, installation)
            await people(guarded)
            async with installation.worker():
                run = await house.submit(PLAIN, who="submitter")
            first = await house.decide("reviewer", run, kind="approve")
            assert (first.status_code, first.json()["queued"]) == (200, True)
            assert "kept" in first.json()["message"]
            second = await house.decide("admin", run, kind="reject", comment="too late")
            assert second.json()["queued"] is True
            comment = await house.decide("reviewer", run, kind="comment", comment="hello?")
            assert comment.status_code == 503
            async with installation.worker():
                await house.until(run, "a", "succeeded")
            rounds = (await house.get("admin", f"/runs/{run}/reviews/a")).json()["rounds"]
            assert [(one["decided_by"], one["approvals"]) for one in rounds] == [("reviewer", 1)]


async def test_who_steers_a_run_is_told_the_audit_log_once(house: House) -> None:
    run = await house.submit(PLAIN)
    rows = {"rows": ["a"]}
    for act, body in (("pause", {"reason": "lunch"}), ("retry", rows), ("resume", {}), ("concurrency", {"limit": 2})):
        assert (await house.post("operator", f"/runs/{run}/{act}", body)).status_code == 202
    handle = house.installation.client.get_workflow_handle_for(CatalogWorkflow.run, run_workflow_id(run))
    async with asyncio.timeout(60):
        while (await handle.query(CatalogWorkflow.progress)).concurrency != 2:
            await asyncio.sleep(0.05)
    await house.decide("reviewer", run, kind="approve")
    await house.until(run, "a", "succeeded")
    entries = house.installation.query(
        "SELECT kind, actor, detail FROM audit_entries WHERE subject = :run ORDER BY sequence", run=f"run/{run}"
    )
    steered = [(one["kind"], one["actor"]) for one in entries if one["kind"] not in {"run.submitted", "policy.decided"}]
    assert sorted(steered) == [(f"run.{kind}", "operator") for kind in ("concurrency", "paused", "resumed", "retried")]
    assert not any("signal" in one["detail"] for one in entries)


async def test_curl_tells_the_same_story(house: House) -> None:
    run = await house.submit(PLAIN)
    token = await house.guarded.token("ben")
    url = f"{house.guarded.served.url}/api/v1/runs/{run}/rows/a/decide"
    process = await asyncio.create_subprocess_exec(
        "curl",
        "-sS",
        "-H",
        f"Authorization: Bearer {token}",
        "--json",
        '{"kind": "approve", "comment": "fine"}',
        url,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert json.loads(output)["state"] == "approved"
