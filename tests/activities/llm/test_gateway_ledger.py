"""What the gateway does when the ledger fails, restarts or has a competitor; a real SQLite stands for the records."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import activities.llm.gateway as gateway_module
from activities.artifacts.contracts import Text, Texts, digest_of
from activities.llm.answer_cache import AnswerCache
from activities.llm.cache_contracts import SharedAnswers
from activities.llm.contracts import Begun, ModelAnswer, ModelRequest, ModelUnavailable
from activities.llm.gateway import Gateway
from activities.llm.gateway_socket import BadSocketPath, GatewayRunning, listening
from activities.llm.groups import Deployment
from activities.llm.partial import Heard
from activities.llm.routing import Router
from activities.llm.similar_answers import SimilarAnswers
from catalogs.row import Cache
from temporal.contract import StepRef


class SqliteLedger:
    """A ledger that can be made to refuse writes, as a full disk does."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, starts INT, answer TEXT)")
        self.refusals = 0

    async def begin(self, request: ModelRequest) -> Begun:
        key = request.step.key
        row = self._database.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
        if row and row[0]:
            return Begun(answer=ModelAnswer.model_validate_json(row[0]))
        self._database.execute(
            "INSERT INTO calls VALUES (?, 1, NULL) ON CONFLICT (key) DO UPDATE SET starts = starts + 1", (key,)
        )
        self._database.commit()
        return Begun()

    async def ended(self, _key: str) -> None:
        pass

    async def record(self, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        key = request.step.key
        if self.refusals:
            self.refusals -= 1
            raise sqlite3.OperationalError("disk full")
        self._database.execute("UPDATE calls SET answer = ? WHERE key = ?", (answer.model_dump_json(), key))
        self._database.commit()
        return answer

    def starts(self, key: str) -> int:
        return int(self._database.execute("SELECT starts FROM calls WHERE key = ?", (key,)).fetchone()[0])

    def close(self) -> None:
        self._database.close()


class NoBudgets:
    """Budgets that count nothing: they have tests of their own."""

    async def reserve(self, _step: StepRef, _usd: float) -> bool:
        return False

    async def settle(self, _step: StepRef, _usd: float) -> None:
        pass

    async def release(self, _step: StepRef) -> None:
        pass


class CountingRouter:
    """A provider in this process, slow enough to be joined."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = 0

    def answering(self, _request: ModelRequest) -> list[Deployment]:
        return []

    async def most_usd(self, _request: ModelRequest) -> float:
        return 0.0

    async def complete(self, request: ModelRequest, _used: int = 0, _heard: Heard | None = None) -> ModelAnswer:
        self.calls += 1
        await asyncio.sleep(0.05)
        if self.fails:
            self.fails -= 1
            raise ModelUnavailable("busy")
        return ModelAnswer(output=request.prompt, group="g", model="p/m")


@pytest.fixture
def router() -> CountingRouter:
    return CountingRouter()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def gateway(router: CountingRouter, ledger: SqliteLedger) -> Gateway:
    # Nothing is answered twice here: texts and what is shared are never touched.
    nothing = AnswerCache(
        cast("SharedAnswers", None), cast("Texts", None), Cache.BYPASS, 60, cast("SimilarAnswers", None)
    )
    return Gateway(cast("Router", router), ledger, NoBudgets(), nothing)


def asked(row: str = "a") -> ModelRequest:
    prompt = Text(digest=digest_of(b"p"), size=1, inline="p")
    return ModelRequest(step=StepRef(run="r", row=row, step="model"), prompt=prompt)


async def test_a_paid_answer_is_held_until_the_ledger_takes_it(
    router: CountingRouter, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "FIRST_PAUSE_SECONDS", 0.001)
    ledger.refusals = 3
    asking = gateway(router, ledger)
    answers = await asyncio.gather(asking.complete(asked()), asking.complete(asked()))
    assert answers[0] == answers[1]
    assert router.calls == 1
    assert (await asking.complete(asked())).replayed


async def test_those_who_share_a_failed_call_all_hear_so_and_the_next_calls_anew(
    router: CountingRouter, ledger: SqliteLedger
) -> None:
    router.fails = 1
    asking = gateway(router, ledger)
    outcomes = await asyncio.gather(*(asking.complete(asked()) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, ModelUnavailable) for outcome in outcomes)
    assert (await asking.complete(asked())).replayed is False
    assert router.calls == 2


async def test_a_gateway_that_is_told_to_stop_lets_its_calls_land(router: CountingRouter, ledger: SqliteLedger) -> None:
    asking = gateway(router, ledger)
    asker = asyncio.create_task(asking.complete(asked()))
    await asyncio.sleep(0.01)
    asker.cancel()
    await asking.drain()
    assert (await gateway(router, ledger).complete(asked())).replayed
    assert router.calls == 1


async def test_a_call_that_does_not_land_in_time_is_cut_off_and_whoever_asked_can_retry(
    router: CountingRouter, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "DRAIN_SECONDS", 0.001)
    asking = gateway(router, ledger)
    asker = asyncio.create_task(asking.complete(asked()))
    await asyncio.sleep(0.01)
    await asking.drain()
    with pytest.raises(ModelUnavailable, match="stopped before"):
        await asker


async def test_a_call_cut_off_with_its_gateway_shows_as_started_twice(
    router: CountingRouter, ledger: SqliteLedger
) -> None:
    cut = gateway(router, ledger)
    asker = asyncio.create_task(cut.complete(asked()))
    await asyncio.sleep(0.01)
    for task in cut._in_flight.values():
        task.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    assert not (await gateway(router, ledger).complete(asked())).replayed
    assert ledger.starts(asked().step.key) == 2


async def test_a_second_gateway_waits_for_the_first_to_leave(tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    async with listening(path, patience=1):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(GatewayRunning, match="another gateway serves"):
            async with listening(path, patience=0.2):
                pass
        assert path.exists()
        second = asyncio.create_task(_hold(path))
        await asyncio.sleep(0.05)
        assert not second.done()
    async with asyncio.timeout(60):
        assert await second


async def test_a_socket_left_by_a_killed_gateway_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    path.touch()
    assert await _hold(path)
    assert not path.exists()


async def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSocketPath, match="PRISM_GATEWAY_SOCKET"):
        await _hold(tmp_path / ("x" * 120))


async def _hold(path: Path) -> bool:
    async with listening(path, patience=5):
        return await asyncio.to_thread(path.is_socket)
