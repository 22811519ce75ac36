"""Feedback: readers vote by HTTP, command line and client; reviewers by deciding; scores and pairs follow from both."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from activities.artifacts.contracts import digest_of
from activities.records.contracts import RowState, RunState
from activities.records.database import timestamp
from activities.reviews.contracts import ReviewEntry, ReviewRecord, ReviewState, ReviewTerms
from activities.reviews.register import SqlReviewRegister
from api.cli.main import cli
from api.client import PrismApiError, PrismClient
from temporal.contract import StepRef
from tests.api.http.guarding import guarded_api, people
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import Serving, serving
from workers.settings import Settings

MODEL = "anthropic/claude-sonnet-4-5"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    with serving(Settings(home=tmp_path)) as api:
        rows = [Seed("ops/a", "A", "Say a.", output="first"), Seed("ops/b", "B", "b", state=RowState.PENDING)]
        await Seeder(api.settings, api.services.stores).run("r", "R", rows, state=RunState.COMPLETED)
        yield api


async def reviewed(api: Serving, *decisions: tuple[str, str, str | None], sequence: int = 0, at: str = "") -> None:
    """Record one round a decision: who did what with which text as result."""
    text = "first"
    for number, (by, kind, made) in enumerate(decisions, start=1):
        made_digest = (await api.services.stores.texts.keep(made)).digest if made else None
        at = at if sequence else timestamp()
        entry = ReviewEntry(kind=kind, round=number, at=at, by=by, comment="too short", output=made_digest)
        await SqlReviewRegister(api.services.stores.engine).record(
            ReviewRecord(
                step=StepRef(run="r", row="ops/a", step="review"),
                round=number,
                state=ReviewState.CHANGES_REQUESTED,
                terms=ReviewTerms(),
                output=digest_of(text.encode()),
                opened_at=at,
                sequence=sequence,
                entries=(ReviewEntry(kind="opened", round=number, at=at), entry),
            )
        )
        text = made or text


async def test_the_newest_vote_of_a_person_counts_and_each_is_audited(tmp_path: Path) -> None:
    with guarded_api(tmp_path) as api:
        await people(api)
        seeder = Seeder(api.served.settings, api.served.services.stores)
        await seeder.run("r", "R", [Seed("ops/a", "A", "a", output="x")], state=RunState.COMPLETED)
        address = "/api/v1/runs/r/rows/ops/a/rate"
        async with await api.client("viewer") as client:
            assert (await client.post(address, json={"rating": "good"})).json()["by"] == "viewer"
            forged = await client.post(address, json={"rating": "bad", "by": "admin"})
            assert forged.status_code == 403
            await client.post(address, json={"rating": "bad", "reason": "It is one letter."})
            of = (await client.get("/api/v1/runs/r/feedback/ops/a")).json()
            assert (of["good"], of["bad"], [vote["reason"] for vote in of["votes"]]) == (0, 1, ["It is one letter."])
        async with await api.client("admin") as client:
            told = (await client.get("/api/v1/audit", params={"kind": "output.rated"})).json()["entries"]
        assert [(one["actor"], one["detail"]["rating"]) for one in told] == [("viewer", "bad"), ("viewer", "good")]
        assert told[0]["subject"] == "run/r/row/ops/a"


async def test_what_cannot_be_rated_is_said(served: Serving) -> None:
    async with httpx.AsyncClient(base_url=f"{served.url}/api/v1/runs/r/rows", timeout=60) as client:
        missing = await client.post("/ops/c/rate", json={"rating": "good"})
        nothing = await client.post("/ops/b/rate", json={"rating": "good", "by": "ana"})
        stale = await client.post("/ops/a/rate", json={"rating": "good", "by": "ana", "output": digest_of(b"older")})
        odd = await client.post("/ops/a/rate", json={"rating": "fine"})
    assert (missing.status_code, nothing.status_code, stale.status_code, odd.status_code) == (404, 409, 409, 422)
    assert "no output" in nothing.json()["error"]["message"]
    assert "look at it again" in stale.json()["error"]["message"]


async def test_no_secret_is_taken_in(served: Serving) -> None:
    key = "ghp_" + "x7Kq2mWz9RtYp4LsVb8NcJd3FgHa5Te6Uo1i"
    with PrismClient(served.url) as client:
        for given in ({"reason": f"Remove {key}"}, {"reason": "so", "better": f"First.\n{key}"}):
            with pytest.raises(PrismApiError, match="seems to hold a secret") as refused:
                client.feedback.rate("r", "ops/a", "bad", by="ana", **given)
            assert refused.value.status == 400
            assert key not in str(refused.value)
        assert client.feedback.of("r", "ops/a").votes == []


async def test_decisions_of_reviewers_are_votes_and_a_later_vote_of_theirs_stays(served: Serving) -> None:
    await reviewed(served, ("ana", "request_changes", "second"), ("ben", "edit", "third"), ("cleo", "approve", None))
    with PrismClient(served.url) as client:
        of = client.feedback.of("r", "ops/a")
        found = {(vote.by, vote.rating.value, vote.output) for vote in of.votes}
        first, second, third = (digest_of(text) for text in (b"first", b"second", b"third"))
        assert found == {("ana", "bad", first), ("ben", "bad", second), ("cleo", "good", third)}
        # What a person wrote is no model's merit.
        scores = {one.name: (one.good, one.votes) for one in client.feedback.scores("model").scores}
        assert scores == {MODEL: (0, 2)}
        assert {one.name: (one.good, one.votes) for one in client.feedback.scores("board").scores} == {"ops": (1, 3)}
        earlier = next(vote.at for vote in of.votes if vote.by == "ana")
        client.feedback.rate("r", "ops/a", "good", by="ana")
    # The round is recorded anew, as when somebody claims it late; the vote that ana gave in it is older.
    await reviewed(served, ("ana", "request_changes", "second"), sequence=1, at=earlier)
    with PrismClient(served.url) as client:
        assert next((one.by, one.rating.value) for one in client.feedback.of("r", "ops/a").votes) == ("ana", "good")


async def test_pairs_come_of_edits_changes_and_readers(served: Serving) -> None:
    # The model's second text was not written by a step of this seeded row: only the first has a prompt.
    await reviewed(served, ("ana", "request_changes", "second"), ("ben", "approve", None))
    with PrismClient(served.url) as client:
        client.feedback.rate("r", "ops/a", "bad", by="dora", reason="dull", better="A lively text.")
        lines = b"".join(client.feedback.pairs()).decode().splitlines()
    pairs = [json.loads(line) for line in lines]
    assert [(one["source"], one["by"], one["rejected"], one["chosen"]) for one in pairs] == [
        ("changes", "ana", "first", "second"),
        ("reader", "dora", "first", "A lively text."),
    ]
    assert pairs[0]["prompt"].startswith("Say a.")
    assert (pairs[0]["model"], pairs[0]["why"]) == (MODEL, "too short")


async def test_the_command_line_rates_and_shows(served: Serving, tmp_path: Path) -> None:
    better = tmp_path / "better.md"
    better.write_text("A better one.")
    run = CliRunner()
    base = ["--url", served.url]
    done = run.invoke(cli, [*base, "rate", "r", "ops/a", "bad", "--by", "ana", "--better", str(better)])
    assert (done.exit_code, done.output.strip()) == (0, "✓ ana rates ops/a bad: 0 good, 1 bad")
    assert "0%" in run.invoke(cli, [*base, "feedback", "scores", "--by", "board"]).output
    assert "this output" in run.invoke(cli, [*base, "feedback", "show", "r", "ops/a"]).output
    written = tmp_path / "pairs.jsonl"
    assert run.invoke(cli, [*base, "feedback", "pairs", "--output", str(written)]).exit_code == 0
    assert json.loads(written.read_text())["chosen"] == "A better one."


async def test_the_pages_show_votes_and_scores(served: Serving) -> None:
    with PrismClient(served.url) as client:
        client.feedback.rate("r", "ops/a", "good", by="<b>ana</b>", reason="<i>clear</i>")
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        row = (await client.get("/runs/r/rows/ops/a")).text
        quality = (await client.get("/feedback")).text
    assert "&lt;b&gt;ana&lt;/b&gt;" in row
    assert "&lt;i&gt;clear&lt;/i&gt;" in row
    assert 'data-rate="/api/v1/runs/r/rows/ops/a/rate"' in row
    assert MODEL in quality
    # One good vote of one: Wilson's lower end is 21 %.
    assert "21\N{EN DASH}100 %" in quality
