"""Equal calls are asked once; what may serve again does; and a cache that fails changes nothing else."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from activities.artifacts.contracts import Text, Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.llm import answer_cache
from activities.llm.answer_cache import AnswerCache, cache_key
from activities.llm.cache_contracts import SharedAnswers, SharedAnswersUnavailable
from activities.llm.cache_records import RecordedAnswers
from activities.llm.contracts import ModelAnswer, ModelRefused, ModelRequest, ModelUnavailable
from activities.llm.similar_answers import SimilarAnswers
from activities.records.database import migrate, open_database
from catalogs.row import Cache
from temporal.contract import StepRef

MODELS = ["openai/x"]


class Vendor:
    """Counts what it is asked, answers when it is let, and fails as often as it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.faults: list[Exception] = []
        self.finish = "stop"
        self.free = asyncio.Event()
        self.free.set()

    def __call__(self, text: str = "yes") -> Callable[[], Awaitable[ModelAnswer]]:
        async def ask() -> ModelAnswer:
            self.asked += 1
            await self.free.wait()
            if self.faults:
                raise self.faults.pop()
            output = Text.by_value(text)
            numbers = {"prompt_tokens": 7, "completion_tokens": 3, "cost_usd": 0.5, "latency_ms": 900}
            return ModelAnswer(output=output, group="g", model="openai/x", finish_reason=self.finish, **numbers)

        return ask

    async def until(self, asked: int) -> None:
        async with asyncio.timeout(60):
            while self.asked < asked:
                await asyncio.sleep(0.005)


class Broken:
    """A shared level that is down."""

    async def __call__(self, *_: object) -> Any:
        raise SharedAnswersUnavailable("down")

    get = put = lease = release = clear = __call__


class Nothing:
    """No request is similar to another one."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}

    async def clear(self) -> None:
        pass


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def shared(tmp_path: Path) -> RecordedAnswers:
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    migrate(engine)
    return RecordedAnswers(engine)


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(FolderArtifactStore(tmp_path / "artifacts"), inline_limit=1000)


def cache(shared: SharedAnswers, texts: Texts, default: Cache = Cache.USE, seconds: float = 60) -> AnswerCache:
    return AnswerCache(shared, texts, default, seconds, cast("SimilarAnswers", Nothing()))


def request(prompt: str = "Say yes", **changes: Any) -> ModelRequest:
    step = StepRef(run="r", row=uuid.uuid4().hex, step="model")
    return ModelRequest(step=step, prompt=Text.by_value(prompt), **changes)


async def test_rows_that_ask_the_same_at_once_are_one_call(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    vendor.free.clear()
    calls = [asyncio.create_task(answers.answered(request(), MODELS, vendor())) for _ in range(20)]
    await vendor.until(1)
    vendor.free.set()
    given = await asyncio.gather(*calls)
    assert vendor.asked == 1
    paid = [one for one in given if not one.cached_from]
    assert [(one.cost_usd, one.saved_usd) for one in paid] == [(0.5, 0.0)]
    served = [one for one in given if one.cached_from]
    assert {(one.cost_usd, one.saved_usd, one.prompt_tokens, one.cached_from) for one in served} == {
        (0.0, 0.5, 0, served[0].cached_from)
    }
    assert answers.counts.joined == 19
    assert answers.counts.saved_usd == pytest.approx(19 * 0.5)


async def test_two_gateways_share_answers_and_do_not_ask_side_by_side(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    one, other = cache(shared, texts), cache(shared, texts)
    vendor.free.clear()
    calls = [asyncio.create_task(each.answered(request(), MODELS, vendor())) for each in (one, other)]
    await vendor.until(1)
    vendor.free.set()
    given = await asyncio.gather(*calls)
    assert vendor.asked == 1
    assert sorted(answer.saved_usd for answer in given) == [0.0, 0.5]
    third = cache(shared, texts)
    assert (await third.answered(request(), MODELS, vendor())).saved_usd == 0.5
    assert (third.counts.shared, third.counts.near) == (1, 0)
    await third.answered(request(), MODELS, vendor())
    assert (third.counts.shared, third.counts.near) == (1, 1)


async def test_a_gateway_that_died_while_it_asked_is_waited_for_no_longer_than_its_lease(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.lease(cache_key(request(), MODELS), "dead", 0.3)
    answer = await cache(shared, texts).answered(request(), MODELS, vendor())
    assert (vendor.asked, answer.cached_from) == (1, "")


async def test_a_row_waits_for_anothers_call_no_longer_than_its_own_may_take(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    vendor.free.clear()
    patient = asyncio.create_task(answers.answered(request(timeout=600), MODELS, vendor()))
    await vendor.until(1)
    hasty = asyncio.create_task(answers.answered(request(timeout=1), MODELS, vendor()))
    elsewhere = asyncio.create_task(cache(shared, texts).answered(request(timeout=1), MODELS, vendor()))
    await vendor.until(3)
    vendor.free.set()
    assert not any(one.cached_from for one in await asyncio.gather(patient, hasty, elsewhere))


async def test_what_is_kept_serves_until_it_is_old(shared: RecordedAnswers, texts: Texts, vendor: Vendor) -> None:
    answers = cache(shared, texts, seconds=0.2)
    await answers.answered(request(), MODELS, vendor())
    async with asyncio.timeout(60):
        while vendor.asked < 2:
            await answers.answered(request(), MODELS, vendor())
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("other", [{"system": "Be brief"}, {"max_tokens": 9}, {"prompt": "Say no"}, {"board": "Law"}])
async def test_another_call_is_another_answer(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor, other: dict[str, Any]
) -> None:
    answers = cache(shared, texts)
    await answers.answered(request(), MODELS, vendor())
    await answers.answered(request(**other), MODELS, vendor())
    await answers.answered(request(), ["anthropic/y"], vendor())
    assert vendor.asked == 3


async def test_how_long_and_how_often_is_no_part_of_what_is_asked(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    await answers.answered(request(), MODELS, vendor())
    await answers.answered(request(timeout=5, attempts=1, cache=Cache.USE), MODELS, vendor())
    assert vendor.asked == 1


async def test_a_row_may_pass_the_cache_by_or_have_it_refreshed(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    await answers.answered(request(), MODELS, vendor("first"))
    bypassed = await answers.answered(request(cache=Cache.BYPASS), MODELS, vendor("unseen"))
    refreshed = await answers.answered(request(cache=Cache.REFRESH), MODELS, vendor("second"))
    assert (bypassed.cached_from, refreshed.cached_from, vendor.asked) == ("", "", 3)
    assert (await answers.answered(request(), MODELS, vendor())).output.inline == "second"


async def test_where_the_installation_says_no_a_row_may_say_yes(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts, Cache.BYPASS)
    for _ in range(2):
        await answers.answered(request(), MODELS, vendor())
    for _ in range(2):
        await answers.answered(request(cache=Cache.USE), MODELS, vendor())
    assert vendor.asked == 3


async def test_what_one_that_stood_in_said_serves_nobody_once_others_answer_again(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    for _ in range(2):
        await answers.answered(request(), ["openai/down"], vendor())
    assert vendor.asked == 2


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_an_answer_that_was_cut_short_serves_nobody_later(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor, finish: str
) -> None:
    answers, vendor.finish = cache(shared, texts), finish
    for _ in range(2):
        await answers.answered(request(), MODELS, vendor())
    assert vendor.asked == 2


async def test_after_a_fault_the_next_of_those_who_wait_asks(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor
) -> None:
    answers = cache(shared, texts)
    vendor.faults = [ModelUnavailable("busy")]
    vendor.free.clear()
    calls = [asyncio.create_task(answers.answered(request(), MODELS, vendor())) for _ in range(5)]
    await vendor.until(1)
    vendor.free.set()
    given = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, ModelUnavailable) for one in given) == 1
    assert vendor.asked == 2


async def test_a_refusal_holds_for_all_who_wait(shared: RecordedAnswers, texts: Texts, vendor: Vendor) -> None:
    answers = cache(shared, texts)
    vendor.faults = [ModelRefused("no")]
    vendor.free.clear()
    calls = [asyncio.create_task(answers.answered(request(), MODELS, vendor())) for _ in range(5)]
    await vendor.until(1)
    vendor.free.set()
    given = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, ModelRefused) for one in given)
    assert vendor.asked == 1


async def test_a_shared_level_that_is_down_only_costs_what_it_would_have_saved(texts: Texts, vendor: Vendor) -> None:
    down: Any = Broken()
    answers, others = cache(down, texts), cache(down, texts)
    for each in (answers, others):
        for _ in range(2):
            assert (await each.answered(request(), MODELS, vendor())).output.inline == "yes"
    assert vendor.asked == 2
    assert answers.counts.faults > 0


async def test_a_large_answer_whose_text_is_gone_is_asked_for_anew(
    shared: RecordedAnswers, texts: Texts, vendor: Vendor, tmp_path: Path
) -> None:
    async def ask() -> ModelAnswer:
        vendor.asked += 1
        return ModelAnswer(output=await texts.pack("long " * 900), group="g", model="openai/x", finish_reason="stop")

    answers = cache(shared, texts)
    for _ in range(2):
        await answers.answered(request(), MODELS, ask)
    assert vendor.asked == 1
    elsewhere = Texts(FolderArtifactStore(tmp_path / "elsewhere"), inline_limit=1000)
    await cache(shared, elsewhere).answered(request(), MODELS, ask)
    assert vendor.asked == 2


def test_a_field_that_a_request_gets_later_counts_by_itself() -> None:
    asked = {name for name in ModelRequest.model_fields if name not in answer_cache._NOT_ASKED}
    assert {"group", "system", "prompt", "max_tokens"} <= asked
