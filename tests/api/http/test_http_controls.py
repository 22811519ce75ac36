"""What the pages offer to whom: nobody is shown a button that the API would refuse."""

from collections.abc import AsyncIterator

import pytest

from activities.records.contracts import RowState, RunState
from tests.api.http.guarding import Guarded, guarded_api, people
from tests.api.http.seeding import Seed, Seeder

PAGE = {"accept": "text/html"}
STEERING = ("/pause", "/cancel", "/skip", "/concurrency")


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("controls")) as api:
        await people(api)
        seeder = Seeder(api.served.settings, api.served.services.stores)
        rows = [
            Seed("ops/a", "A", "a", state=RowState.FAILED, output="x", code="X", message="no"),
            Seed("ops/b", "B", "b", state=RowState.PENDING, upstream=["ops/a"]),
        ]
        await seeder.run("going", "Going", rows, state=RunState.RUNNING, minutes_ago=1)
        await seeder.run("done", "Done", rows, state=RunState.CANCELLED, minutes_ago=1)
        yield api


async def shown(guarded: Guarded, who: str, path: str) -> str:
    async with await guarded.client(who) as client:
        answer = await client.get(path, headers=PAGE)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize(("who", "may"), [("viewer", False), ("boarder", False), ("operator", True), ("admin", True)])
async def test_a_run_is_steered_by_those_who_may(guarded: Guarded, who: str, may: bool) -> None:
    page = await shown(guarded, who, "/runs/going")
    assert [f"/api/v1/runs/going{one}" in page for one in STEERING] == [may] * len(STEERING)


@pytest.mark.parametrize(("who", "may"), [("reviewer", False), ("operator", True)])
async def test_a_row_is_skipped_and_retried_by_those_who_may(guarded: Guarded, who: str, may: bool) -> None:
    assert ("/runs/going/skip" in await shown(guarded, who, "/runs/going/rows/ops/b")) is may
    assert ("/rows/ops/a/retry" in await shown(guarded, who, "/runs/going/rows/ops/a")) is may


async def test_a_run_that_has_ended_can_only_be_retried(guarded: Guarded) -> None:
    page = await shown(guarded, "operator", "/runs/done")
    assert not any(f"/api/v1/runs/done{one}" in page for one in STEERING)
    assert "/api/v1/runs/done/retry" in page
