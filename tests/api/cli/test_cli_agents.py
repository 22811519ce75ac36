"""Agents and tools as people find them: command, API, page, and the limits of a run."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from activities.feedback.contracts import Given, Rating
from activities.feedback.register import SqlFeedbackRegister
from activities.records.contracts import RowState, RunState
from activities.records.tables import TaskRecord
from api.client import PrismClient
from tests.api.cli.conftest import Prism
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import Serving, serving
from workers.policy import POLICIES
from workers.settings import Settings

SAMPLES = Path(__file__).parents[3] / "catalogs" / "samples"
AGENT = "name: clerk\nsystem: You count.\ntools: [count_words, calculate]\nlimits: {tool_calls: 3}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("installed")
    shutil.copytree(SAMPLES / "agents", home / "agents")
    (home / "agents" / "clerk.yaml").write_text(AGENT)
    shutil.copytree(POLICIES, home / "policies")
    data = home / "policies" / "tools" / "data.json"
    rules = {"forbidden_to_agents": {"clerk": ["calculate"]}, "reviewed": ["count_words"]}
    data.write_text(json.dumps(json.loads(data.read_text()) | rules))
    settings = Settings(
        home=home, tools=SAMPLES / "tools.yaml", agents=home / "agents", policies=home / "policies", auth="off"
    )
    with serving(settings) as one:
        asyncio.run(worked(one))
        yield one


async def worked(served: Serving) -> None:
    """Have the clerk work on two rows, alone and in a team, and one of the outputs be called good."""
    stores = served.services.stores
    rows = [Seed("a", "One", "One", RowState.SUCCEEDED, "1"), Seed("b", "Two", "Two", RowState.SUCCEEDED, "2")]
    await Seeder(served.settings, stores).run("r1", "Counted", rows, state=RunState.COMPLETED)
    table = TaskRecord.__table__  # type: ignore[attr-defined]
    with stores.engine.begin() as connection:
        for row, cell in (("a", "clerk"), ("b", "clerk > editor")):
            connection.execute(table.update().where(table.c.row == row).values(agent=cell))
    register = SqlFeedbackRegister(stores.engine)
    await register.rate(Given(run="r1", row="b", by="ana", rating=Rating.GOOD))


def test_agents_are_listed_with_what_they_may_and_what_came_of_it(served: Serving, prism_command: Prism) -> None:
    said = json.loads(prism_command("agents", "show", "clerk", "--json", PRISM_API_URL=served.url).stdout)
    assert said["agent"]["tools"] == ["count_words", "calculate"]
    assert said["refused"] == {"calculate": ["tool calculate is forbidden to agent clerk"]}
    assert (said["use"]["rows"], said["use"]["score"]["votes"], said["use"]["score"]["share"]) == (2, 1, 1.0)
    listed = prism_command("agents", PRISM_API_URL=served.url).stdout
    assert "calculate (refused)" in " ".join(listed.split())
    assert listed == prism_command("agents", "list", PRISM_API_URL=served.url).stdout
    unknown = prism_command("agents", "show", "clark", PRISM_API_URL=served.url)
    assert (unknown.returncode, "did you mean clerk?" in unknown.stderr) == (2, True)


def test_tools_are_listed_with_their_schema_and_policy(served: Serving, prism_command: Prism) -> None:
    with PrismClient(served.url) as client:
        found = {tool.name: tool for tool in client.tools().tools}
    assert found["calculate"].agents == ["clerk", "reckoner"]
    assert set(found["calculate"].parameters["properties"]) == {"operation", "a", "b"}
    decided = {one.risk.value: (one.allow, one.deny, one.review) for one in found["count_words"].policy}
    assert decided["low"] == (True, [], ["the model called tool count_words"])
    assert decided["critical"][:2] == (False, ["tools are not called at risk critical"])
    told = prism_command("tools", "show", "count_words", PRISM_API_URL=served.url).stdout
    assert "a person must look: the model called tool count_words" in " ".join(told.split())
    assert "denied: tools are not called at risk critical" in " ".join(told.split())
    assert "count_words" in prism_command("tools", PRISM_API_URL=served.url).stdout


def test_the_page_shows_agents_and_tools(served: Serving) -> None:
    page = httpx.get(f"{served.url}/agents", headers={"accept": "text/html"}, timeout=60, trust_env=False).text
    assert 'id="agent-clerk"' in page
    assert 'id="tool-count_words"' in page
    assert "tool calculate is forbidden to agent clerk" in page
    assert "tool calls 3" in page
    assert "<b>100 %</b> of 1 vote" in page


def test_a_run_is_told_how_much_its_models_may_call(served: Serving, prism_command: Prism, tmp_path: Path) -> None:
    catalog = tmp_path / "one.csv"
    catalog.write_text("id,objective,agent\na,Count,writer\n")
    planned = prism_command("plan", str(catalog), "--tool-rounds", "3", "--tool-calls", "5", "--json")
    options = json.loads(planned.stdout)["input"]["options"]
    assert (options["tool_rounds"], options["tool_calls"]) == (3, 5)
    with httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
        for limits in ({"tool_rounds": 0}, {"tool_calls": 1001}):
            refused = client.post("/api/v1/catalogs/validate", json={"csv": "objective\na\n", **limits})
            assert refused.status_code == 400
        assert client.post("/api/v1/catalogs/validate", json={"csv": "objective\na\n", "tool_calls": 9}).is_success
