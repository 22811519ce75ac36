"""Experiments on SQLite and PostgreSQL: what is begun, who gets which variant, which votes count."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from activities.artifacts.contracts import Text, Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.audit import reading
from activities.experiments.contracts import (
    ExperimentEnded,
    ExperimentExists,
    ExperimentNotFound,
    ExperimentSpec,
    Metric,
    Placed,
    Status,
    Unit,
)
from activities.experiments.placing import SqlPlacing
from activities.experiments.register import SqlExperiments
from activities.feedback.contracts import Given, Rating
from activities.feedback.register import SqlFeedbackRegister
from activities.notifications.inbox import InboxNotifier
from activities.notifications.inbox_reading import InboxFilter, SqlInbox
from activities.records.contracts import RowRecord, RowState, RunOpening
from activities.records.keeper import SqlRecordKeeper
from activities.reviews.contracts import ReviewEntry, ReviewRecord, ReviewState, ReviewTerms
from activities.reviews.register import SqlReviewRegister
from catalogs.experiment import Participation, Variant
from catalogs.options import ReadOptions
from catalogs.row import CatalogRow
from catalogs.team import Agent
from temporal.contract import StepRef
from workers.experiments import ExperimentWatch, with_experiments

CURRENT, TERSE = Variant(name="current"), Variant(name="terse", prompt="Be brief: {{ row.objective }}")
SPEC = ExperimentSpec(name="tone", variants=(CURRENT, TERSE))
AT = "2026-11-23T09:00:00.000000Z"


def row(row_id: str = "pay/a", key: str = "", experiment: str = "tone") -> CatalogRow:
    return CatalogRow(id=row_id, line=2, objective="Do", experiment=Participation(name=experiment, key=key))


def variant(placed: Placed) -> str:
    return placed.trial.variant if placed.trial else ""


async def test_an_experiment_is_begun_once_and_never_changes(engine: Engine) -> None:
    register = SqlExperiments(engine)
    begun = await register.create(SPEC, by="ana")
    assert (begun.status, begun.created_by, begun.spec) == (Status.RUNNING, "ana", SPEC)
    assert await register.create(SPEC, by="ben") == begun
    with pytest.raises(ExperimentExists):
        await register.create(SPEC.model_copy(update={"alpha": 0.01}), by="ana")
    assert (await register.pause("tone", by="ana")).status is Status.PAUSED
    assert (await register.resume("tone", by="ana")).status is Status.RUNNING
    with pytest.raises(ExperimentNotFound, match="no variant 'loud'"):
        await register.end("tone", by="ana", adopt="loud")
    ended = await register.end("tone", by="ana", adopt="terse")
    assert (ended.status, ended.adopted) == (Status.ENDED, "terse")
    # Whoever repeats it finds it done; nobody takes it back.
    assert await register.end("tone", by="ana", adopt="terse") == ended
    for again in (register.resume, register.pause, register.end):
        with pytest.raises(ExperimentEnded):
            await again("tone", by="ben")
    with pytest.raises(ExperimentNotFound):
        await register.find("none")
    # Rows that a row plans may name it as well as those of a catalog.
    known = {"tone": SPEC.variants}
    assert with_experiments(ReadOptions(), engine).experiments == await register.variants() == known
    told = [(one["kind"], one["actor"]) for one in reading.entries(engine)]
    kinds = ("created", "paused", "resumed", "ended")
    assert sorted(told) == sorted((f"experiment.{kind}", "ana") for kind in kinds)


@pytest.mark.parametrize(
    ("variants", "fault"),
    [
        ((CURRENT,), "at least 2"),
        ((CURRENT, CURRENT), "2 variants are called 'current'"),
        ((CURRENT, Variant(name="same")), "'current' and 'same' are the same"),
    ],
)
def test_variants_differ(variants: tuple[Variant, ...], fault: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(fault)):
        ExperimentSpec(name="tone", variants=variants)


async def test_a_unit_keeps_its_variant_whoever_asks_how_often_and_in_which_run(engine: Engine) -> None:
    await SqlExperiments(engine).create(SPEC)
    placing = SqlPlacing(engine)
    drawn = {str(n): variant(await placing.place(row(f"pay/{n}"), "monday")) for n in range(60)}
    assert set(drawn.values()) == {"current", "terse"}
    # Several workers ask at once for the same units, later and in another run.
    again = await asyncio.gather(*(placing.place(row(f"pay/{n}"), "tuesday") for n in drawn for _ in range(2)))
    assert [variant(one) for one in again] == [drawn[n] for n in drawn for _ in range(2)]
    # Rows with a key are one unit.
    assert len({variant(await placing.place(row(f"x/{n}", key="acme"), "monday")) for n in range(20)}) == 1
    assert (await SqlExperiments(engine).find("tone")).units == 61
    with pytest.raises(ExperimentNotFound):
        await placing.place(row(experiment="other"), "monday")


async def test_shares_hold_and_a_unit_may_be_a_row_of_one_run(engine: Engine) -> None:
    few = Variant(name="few", share=1, model="small")
    spec = ExperimentSpec(name="tone", variants=(Variant(name="many", share=9), few), unit=Unit.RUN)
    await SqlExperiments(engine).create(spec)
    placing = SqlPlacing(engine)
    found = [variant(await placing.place(row(), f"run-{n}")) for n in range(300)]
    assert 10 <= Counter(found)["few"] <= 55
    assert variant(await placing.place(row(), "run-7")) == found[7]


async def test_a_variant_changes_what_it_names_and_the_trial_says_so(engine: Engine) -> None:
    poet = Agent(name="poet", version="2", system="Rhyme.")
    made = Variant(name="made", model="large", prompt="Sing: {{ row.objective }}", agent=poet)
    await SqlExperiments(engine).create(ExperimentSpec(name="tone", variants=(CURRENT, made)))
    placing = SqlPlacing(engine)
    placed = {variant(one): one for n in range(20) if (one := await placing.place(row(f"pay/{n}"), "r"))}
    changed, same = placed["made"], placed["current"]
    assert changed.trial
    assert same.trial
    ran = (changed.row.model, changed.row.prompt, changed.row.agent, changed.row.team)
    assert ran == ("large", made.prompt, "poet", (poet,))
    assert (same.row.model, same.row.prompt, same.row.team) == ("", "", ())
    assert same.trial.planned == digest_of(same.row.model_dump_json().encode())
    assert changed.trial.planned != digest_of(changed.row.model_dump_json().encode())
    assert changed.trial.prompt_version != same.trial.prompt_version


async def test_paused_it_takes_nobody_in_and_ended_everybody_gets_what_was_adopted(engine: Engine) -> None:
    register, placing = SqlExperiments(engine), SqlPlacing(engine)
    await register.create(SPEC)
    drawn = [variant(await placing.place(row(f"pay/{n}"), "r")) for n in range(12)]
    await register.pause("tone")
    assert [variant(await placing.place(row(f"pay/{n}"), "r")) for n in range(12)] == drawn
    assert await placing.place(row("pay/new"), "r") == Placed(row=row("pay/new"))
    await register.end("tone", adopt="terse")
    assert {variant(await placing.place(row(f"pay/{n}"), "r")) for n in (*range(12), "new")} == {"terse"}


class Votes:
    """Rows that ran as variants, and people who vote on their outputs."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.register = SqlExperiments(engine)
        self.placing = SqlPlacing(engine)
        self.feedback = SqlFeedbackRegister(engine)
        self.texts = Texts(FolderArtifactStore(folder))
        self.keeper = SqlRecordKeeper(engine, self.texts)

    async def ran(self, spec: ExperimentSpec, rows: int) -> list[str]:
        """Run rows; return the variant of each."""
        await self.register.create(spec)
        await self.keeper.open_run(RunOpening(run="r", plan=digest_of(b"plan"), title="R", started_at=AT))
        await self.keeper.open_rows("r", [{"row": f"pay/{n}", "position": n} for n in range(rows)])
        return [await self.again(n, 1) for n in range(rows)]

    async def again(self, n: int, attempt: int) -> str:
        placed = await self.placing.place(row(f"pay/{n}"), "r")
        step = StepRef(run="r", row=f"pay/{n}", step="record", attempt=attempt)
        output = await self.texts.keep(f"answer {n} of execution {attempt}")
        told: dict[str, Any] = {"state": RowState.SUCCEEDED, "started_at": AT, "finished_at": AT, "trial": placed.trial}
        await self.keeper.record_row(RowRecord(step=step, output=Text(digest=output.digest, size=1), model="m", **told))
        return variant(placed)

    async def vote(self, n: int, rating: str, by: str = "ana", better: str | None = None) -> None:
        kept = digest_of(better.encode()) if better else None
        await self.feedback.rate(Given(run="r", row=f"pay/{n}", by=by, rating=Rating(rating), better=kept))


@pytest.fixture
def votes(engine: Engine, tmp_path: Path) -> Votes:
    return Votes(engine, tmp_path / "artifacts")


async def test_the_first_vote_on_a_unit_is_its_outcome(votes: Votes) -> None:
    variants = await votes.ran(SPEC, 10)
    for n, name in enumerate(variants):
        await votes.vote(n, "good" if name == "terse" else "bad")
    for n in range(5):
        # Other people, a changed mind, and a second output of the same unit: none of it is a further observation.
        await votes.vote(n, "bad", by="ben")
        await votes.vote(n, "bad")
        await votes.again(n, 2)
        await votes.vote(n, "bad")
    report = await votes.register.report("tone")
    many = Counter(variants)
    assert {one.variant: (one.units, one.judged, one.good) for one in report.scores} == {
        "current": (many["current"], many["current"], 0),
        "terse": (many["terse"], many["terse"], many["terse"]),
    }
    given = await votes.feedback.votes("r", "pay/0")
    assert {(one.experiment, one.variant) for one in given} == {("tone", variants[0])}
    assert (report.verdict, report.comparisons[0].p < 1) == ("undecided", True)


async def test_only_the_votes_that_are_wanted_count_and_none_after_the_end(votes: Votes, engine: Engine) -> None:
    await votes.ran(SPEC.model_copy(update={"metric": Metric.REVIEWS}), 3)
    await votes.vote(0, "good")
    assert (await votes.register.find("tone")).judged == 0
    # An edit says that the model's text was wanting; what was made of it is no variant's.
    edited = (await votes.texts.keep("A better one.")).digest
    said = [ReviewEntry(kind="edit", round=1, at=AT, by="ana", output=edited), *approvals("ben", "cleo")]
    reviews = SqlReviewRegister(engine)
    for sequence in (1, 2):
        await reviews.record(review(0, sequence, digest_of(b"answer 0 of execution 1"), said))
        await reviews.record(review(1, sequence, digest_of(b"answer 1 of execution 1"), approvals("ana")))
    report = await votes.register.report("tone")
    assert (report.experiment.judged, sum(one.good for one in report.scores)) == (2, 1)
    await votes.register.end("tone")
    await reviews.record(review(2, 1, digest_of(b"answer 2 of execution 1"), approvals("ana")))
    assert (await votes.register.find("tone")).judged == 2


def approvals(*people: str) -> list[ReviewEntry]:
    return [ReviewEntry(kind="approve", round=1, at=AT, by=person) for person in people]


def review(n: int, sequence: int, output: str, entries: list[ReviewEntry]) -> ReviewRecord:
    step = StepRef(run="r", row=f"pay/{n}", step="review")
    opened = ReviewEntry(kind="opened", round=1, at=AT)
    more: dict[str, Any] = {"round": 1, "state": ReviewState.APPROVED, "terms": ReviewTerms(), "opened_at": AT}
    return ReviewRecord(step=step, sequence=sequence, output=output, entries=(opened, *entries), **more)


async def test_a_winner_is_named_when_it_is_known_and_told_of_once(votes: Votes, engine: Engine) -> None:
    variants = await votes.ran(SPEC, 40)
    # Two workers look, again and again.
    watches = [ExperimentWatch(votes.register, InboxNotifier(engine)) for _ in range(2)]
    await votes.vote(0, "good" if variants[0] == "terse" else "bad")
    await asyncio.gather(*(watch.look() for watch in watches))
    assert await SqlInbox(engine).notifications(InboxFilter()) == []
    for n, name in enumerate(variants):
        await votes.vote(n, "good" if name == "terse" else "bad")
    report = await votes.register.report("tone")
    assert (report.winner, report.verdict) == ("terse", "winner: terse")
    assert report.comparisons[0].p <= report.threshold == 0.05
    for _ in range(2):
        await asyncio.gather(*(watch.look() for watch in watches))
    told = await SqlInbox(engine).notifications(InboxFilter())
    assert sorted((one.recipient, one.title) for one in told) == [
        ("role:admin", "Experiment tone has a winner: terse"),
        ("role:operator", "Experiment tone has a winner: terse"),
    ]
    assert f"terse {Counter(variants)['terse']} of" in told[0].body
    assert (await votes.register.find("tone")).winner == "terse"
    audited = [one for one in reading.entries(engine) if one["kind"] == "experiment.decided"]
    assert [(one["actor"], one["subject"]) for one in audited] == [("experiments", "experiment/tone")]
    assert await votes.register.undecided() == {}
