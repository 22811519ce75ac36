"""What readers of the records rely on: events are never missed, pages meet, whatever was written at the same moment."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from activities.records.contracts import RunOpening
from activities.records.database import timestamp, upsert
from activities.records.keeper import SqlRecordKeeper
from activities.records.queries import LATE_SECONDS, RecordQueries
from activities.records.tables import EventRow
from tests.activities.records.test_records_on_both_databases import AT, PLAN, keeper, queries

__all__ = ["keeper", "queries"]


def note(connection: Connection, key: str, at: str) -> None:
    values: dict[str, Any] = {"key": key, "run": "r", "row": "a", "kind": "step", "at": at, "body": {}}
    connection.execute(upsert(connection.engine, EventRow).on_conflict_do_nothing(), values)


# SQLite has one writer at a time: ids are committed in their order.
ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@ON_POSTGRESQL
async def test_an_event_that_is_committed_late_is_not_skipped(engine: Engine, queries: RecordQueries) -> None:
    with engine.connect() as slow, engine.connect() as quick:
        note(slow, "first", timestamp())
        note(quick, "second", timestamp())
        quick.commit()
        early = await queries.events(0)
        slow.commit()
    after = early[-1].id if early else 0
    assert len([*early, *await queries.events(after)]) == 2


@ON_POSTGRESQL
async def test_a_transaction_that_hangs_holds_events_back_for_a_while_only(
    engine: Engine, queries: RecordQueries
) -> None:
    with engine.connect() as hanging, engine.connect() as quick:
        note(hanging, "first", timestamp())
        note(quick, "second", timestamp(datetime.now(UTC) - timedelta(seconds=LATE_SECONDS + 1)))
        quick.commit()
        assert len(await queries.events(0)) == 1
        hanging.rollback()


async def test_events_are_there_at_once_when_nothing_is_being_written(engine: Engine, queries: RecordQueries) -> None:
    with engine.begin() as connection:
        note(connection, "first", timestamp())
        note(connection, "second", timestamp())
    async with asyncio.timeout(60):
        while len(found := await queries.events(0, run="r")) < 2:
            await asyncio.sleep(0.01)
    assert [event.id for event in await queries.events(found[0].id)] == [found[1].id]


async def test_runs_of_one_moment_are_all_listed(keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    for name in ("s", "t", "u", "v"):
        await keeper.open_run(RunOpening(run=name, plan=PLAN, title=name, started_at=AT))
    seen: list[str] = []
    before = ""
    while page := await queries.runs(before=before, limit=2):
        seen += [run.run for run in page]
        before = page[-1].cursor
    assert seen == ["r", "s", "t", "u", "v"]
    assert await queries.runs(before=AT) == []


async def test_results_come_in_plan_order_a_batch_at_a_time(keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    many = [{"row": f"n{place:04d}", "position": place} for place in range(1203, 2, -1)]
    await keeper.open_rows("r", many)
    positions = [row.position async for row in queries.results("r")]
    assert positions == list(range(1204))
