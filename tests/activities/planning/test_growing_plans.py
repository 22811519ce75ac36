"""A plan takes rows in once, and refuses what it cannot take any more as it was approved."""

import io
import json
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import Digest, Text
from activities.planning.activity import PlanningActivities
from activities.planning.contracts import Grown, GrowRequest, ProposalRequest, Proposed
from activities.policy.embedded import EmbeddedPolicy
from catalogs.compiler import compile_catalog
from temporal.contract import StepRef
from workers.agents import reading
from workers.compose import Stores, open_stores
from workers.models import keyless_models
from workers.policy import POLICIES
from workers.reflections import reading_now
from workers.settings import Settings

CATALOG = b"id,objective,agent,pattern\np,Plan,planner,plan\nq,Plan,planner,plan\n"


class Planning:
    """The activities over a plan of two rows that plan."""

    def __init__(self, home: Path) -> None:
        settings = Settings(home=home)
        self.stores: Stores = open_stores(settings)
        self.plan = compile_catalog(io.BytesIO(CATALOG), "t", self.stores.artifacts.write, reading(settings)).digest
        self.activities = PlanningActivities(
            self.stores.plans,
            self.stores.texts,
            EmbeddedPolicy(POLICIES),
            keyless_models(settings),
            lambda: reading_now(settings, self.stores.engine),
        )

    async def proposed(self, plan: Digest, index: int, *ids: str) -> Proposed:
        text = json.dumps({"rows": [{"id": name, "objective": "Do it"} for name in ids]})
        planned = await self.stores.plans.row(plan, index)
        step = StepRef(run="r", row=planned.row.id, step="proposal")
        request = ProposalRequest(step=step, plan=plan, index=index, row=planned.row, output=Text.by_value(text))
        return await ActivityEnvironment().run(self.activities.read, request)

    async def grown(self, plan: Digest, index: int, proposed: Proposed) -> Grown:
        assert proposed.proposal is not None
        row = (await self.stores.plans.row(plan, index)).row.id
        request = GrowRequest(plan=plan, index=index, row=row, output=proposed.output, proposal=proposed.proposal)
        return await ActivityEnvironment().run(self.activities.grow, request)


@pytest.fixture
def planning(tmp_path: Path) -> Planning:
    return Planning(tmp_path)


async def test_the_same_rows_are_added_once_and_others_of_the_same_row_are_refused(planning: Planning) -> None:
    first = await planning.proposed(planning.plan, 0, "a", "b")
    grown = await planning.grown(planning.plan, 0, first)
    assert (grown.total, grown.first, grown.rows) == (4, 2, ("a", "b"))
    assert await planning.grown(planning.plan, 0, first) == grown
    again = await planning.grown(grown.plan, 0, first)
    assert (again.plan, again.rows, again.refused) == (grown.plan, (), "")
    other = await planning.grown(grown.plan, 0, await planning.proposed(grown.plan, 0, "c"))
    assert (other.plan, other.rows) == (grown.plan, ())
    assert other.refused == "row 'p' has added 2 rows before, and they were others"


async def test_two_rows_that_plan_the_same_id_do_not_both_add_it(planning: Planning) -> None:
    of_p, of_q = await planning.proposed(planning.plan, 0, "a"), await planning.proposed(planning.plan, 1, "b", "a")
    grown = await planning.grown(planning.plan, 0, of_p)
    refused = await planning.grown(grown.plan, 1, of_q)
    assert refused.refused == "the run has got rows a meanwhile, planned by another row"
    assert refused.plan == grown.plan
    assert (await planning.proposed(grown.plan, 1, "a")).faults[0].startswith("id 'a' is taken by a row of the run")


async def test_a_plan_that_grew_knows_where_its_rows_came_from(planning: Planning) -> None:
    proposed = await planning.proposed(planning.plan, 0, "a")
    grown = await planning.grown(planning.plan, 0, proposed)
    plan = await planning.stores.plans.plan(grown.plan)
    origin = plan.origin(2)
    assert origin is not None
    assert (origin.by, origin.output, origin.proposal) == ("p", proposed.output, proposed.proposal)
    assert (plan.origin(1), plan.depth(1), plan.depth(2)) == (None, 0, 1)
    assert (await planning.stores.plans.row(grown.plan, 2)).row.id == "a"
