"""Experiments by HTTP, client and command line: begun, checked, shown, steered and ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from activities.experiments.register import SqlExperiments
from activities.experiments.tables import AssignmentRow, ExperimentRow
from activities.notifications.inbox import InboxNotifier
from activities.records.contracts import RunState
from activities.records.database import timestamp
from activities.records.tables import TaskRecord
from api.cli.main import cli
from api.client import AsyncPrismClient, PrismApiError, PrismClient
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import Serving, serving
from workers.experiments import ExperimentWatch
from workers.settings import Settings

VARIANTS = [{"name": "current"}, {"name": "terse", "prompt": "Be brief: {{ row.objective }}", "share": 1}]


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    with serving(Settings(home=tmp_path_factory.mktemp("experiments"))) as api:
        yield api


def judged(api: Serving, name: str, good: dict[str, int], bad: dict[str, int]) -> None:
    """Have people vote on units of each variant, in turn."""
    rows = [
        {"variant": variant, "good": said}
        for said, many in ((True, good), (False, bad))
        for variant, times in many.items()
        for _ in range(times)
    ]
    register = {"judged": len(rows)}
    common = {"experiment": name, "run": "r", "row": "a", "at": timestamp(), "judged_at": timestamp()}
    with api.services.stores.engine.begin() as connection:
        connection.execute(ExperimentRow.__table__.update().where(ExperimentRow.name == name).values(register))
        for place, one in enumerate(rows):
            connection.execute(
                AssignmentRow.__table__.insert(), {**common, **one, "unit": f"row/{place}", "position": place}
            )


async def test_a_row_may_name_only_what_was_begun_and_fits_it(served: Serving) -> None:
    with PrismClient(served.url) as client:
        asking = [{"name": "as-is"}, {"name": "asks", "prompt": 'Use {{ outputs["x"] }} for {{ row.customer }}'}]
        client.experiments.create("fits", asking, by="ana")
        found = client.validate(
            "objective,experiment,customer,depends_on\nDo,fits,acme,\nDo,fist,acme,\nDo,fits: ,a,\n"
        )
    told = [(one.line, one.column, one.message) for one in found.errors]
    assert told == [
        (2, "experiment", "experiment: the prompt of variant 'asks' uses the output of 'x'"),
        (3, "experiment", "experiment: there is no experiment 'fist'; did you mean fits?"),
        (4, "experiment", told[2][2]),
    ]
    assert "name:key" in told[2][2]


@pytest.mark.parametrize(
    ("variants", "fault"),
    [
        ([{"name": "a"}, {"name": "b"}], "'a' and 'b' are the same"),
        ([{"name": "a"}, {"name": "a", "model": "local"}], "2 variants are called 'a'"),
        ([{"name": "a"}, {"name": "b", "prompt": "{{ row."}], "no template"),
        ([{"name": "a"}, {"name": "b", "model": "nowhere"}], "no model group is called 'nowhere'"),
        ([{"name": "a"}, {"name": "b", "agent": "nobody"}], "there is no agent 'nobody'"),
        ([{"name": "a"}], "at least 2"),
    ],
)
async def test_what_cannot_be_compared_is_refused(served: Serving, variants: list[dict[str, str]], fault: str) -> None:
    with PrismClient(served.url) as client, pytest.raises(PrismApiError, match=fault) as refused:
        client.experiments.create("bad", variants)
    assert 400 <= refused.value.status < 500


async def test_the_client_shows_what_the_test_says_and_steers(served: Serving) -> None:
    async with AsyncPrismClient(served.url) as client:
        made = await client.experiments.create("steered", [*VARIANTS, {"name": "critic", "agent": "critic"}])
        assert made.spec.variants[2].agent is not None
        assert (await client.experiments.pause("steered", by="ana")).status == "paused"
        assert (await client.experiments.resume("steered", by="ana")).status == "running"
        judged(served, "steered", {"terse": 30, "critic": 2}, {"current": 30, "critic": 28})
        report = await client.experiments.get("steered")
        assert (report.verdict, report.winner, round(report.threshold, 4)) == ("winner: terse", "terse", 0.0167)
        better = {(one.first, one.second): one.better for one in report.comparisons}
        assert better == {("current", "terse"): "terse", ("current", "critic"): "", ("terse", "critic"): "terse"}
        ended = await client.experiments.end("steered", adopt="terse", by="ana")
        assert (ended.status, ended.adopted) == ("ended", "terse")
        assert {one.spec.name for one in (await client.experiments.all()).experiments} >= {"steered"}
        with pytest.raises(PrismApiError, match="ended at"):
            await client.experiments.resume("steered")
    async with httpx.AsyncClient(base_url=f"{served.url}/api/v1", timeout=60) as plain:
        again = {"name": "steered", "variants": VARIANTS}
        assert (await plain.post("/experiments", json=again)).status_code == 409


async def test_pages_show_the_variant_of_a_row_and_lead_from_the_news_to_the_experiment(served: Serving) -> None:
    stores = served.services.stores
    seeds = [Seed("ops/a", "A", "Say a.", output="first")]
    await Seeder(served.settings, stores).run("paged", "R", seeds, state=RunState.COMPLETED)
    with PrismClient(served.url) as client:
        client.experiments.create("paged", VARIANTS, about="<i>Why</i>?", by="<b>ana</b>")
    with stores.engine.begin() as connection:
        trial = {"experiment": "paged", "variant": "terse"}
        connection.execute(TaskRecord.__table__.update().where(TaskRecord.run == "paged").values(trial))
    judged(served, "paged", {"terse": 24}, {"current": 24})
    await ExperimentWatch(SqlExperiments(stores.engine), InboxNotifier(stores.engine)).look()
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        row = (await client.get("/runs/paged/rows/ops/a")).text
        page = (await client.get("/experiments")).text
        news = (await client.get("/notifications?everybody=true")).text
        results = (await client.get("/api/v1/runs/paged/results?format=csv")).text
    assert 'terse of <a href="/experiments#paged">' in row
    assert "winner: terse" in page
    assert ("&lt;i&gt;Why&lt;/i&gt;" in page, "&lt;b&gt;ana&lt;/b&gt;" in page) == (True, True)
    assert 'href="/experiments#paged"' in news
    assert ",paged,terse," in results


async def test_the_command_line_begins_shows_and_ends(served: Serving, tmp_path: Path) -> None:
    run, base = CliRunner(), ["--url", served.url, "experiments"]
    (tmp_path / "terse.txt").write_text("Be brief: {{ row.objective }}\n")
    terse = f"terse,share=2,prompt=@{tmp_path / 'terse.txt'}"
    done = run.invoke(cli, [*base, "create", "tone", "--variant", "current", "--variant", terse, "--by", "ana"])
    assert (done.exit_code, done.output.strip()) == (0, "✓ tone is running: current 1, terse 2")
    odd = run.invoke(cli, [*base, "create", "odd", "--variant", "current", "--variant", "b,size=2"])
    assert odd.exit_code == 2
    assert "'size=2' is none of share=" in odd.output
    (tmp_path / "length.yaml").write_text(
        "name: length\nabout: Are short answers liked?\nvariants:\n- name: as-is\n- {name: brief, prompt: Be brief.}\n"
    )
    assert run.invoke(cli, [*base, "create", "--file", str(tmp_path / "length.yaml")]).exit_code == 0
    judged(served, "tone", {"terse": 24}, {"current": 12})
    shown = run.invoke(cli, [*base, "show", "tone"]).output
    assert "24 of 24" in shown
    assert "winner: terse" in shown
    assert "length" in run.invoke(cli, [*base, "list"]).output
    ended = run.invoke(cli, [*base, "end", "tone", "--adopt", "terse", "--by", "ana"])
    assert ended.output.strip() == "✓ tone is ended: rows get terse"
    missing = run.invoke(cli, [*base, "show", "none"])
    assert missing.exit_code != 0
