"""Rows that ask for it get the answer of a request that says about the same; whatever fails there is a miss.

A real gateway, a vendor that gives scripted vectors over a real socket, and every bound of what counts as similar.
"""

import asyncio
import base64
import json
import math
import struct
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import Engine
from temporalio.client import Client

from activities.artifacts.contracts import Text, Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.llm.cache_asking import cache_counts, clear_cache
from activities.llm.cache_contracts import CacheLevel
from activities.llm.contracts import InvalidCache, ModelAnswer, ModelRequest, Similar
from activities.llm.similar_answers import SimilarAnswers, marks_of, nearest, scope_of
from activities.llm.similar_contracts import AnsweredPrompt, Asked, Embedding, SimilarUnavailable
from activities.llm.similar_records import RecordedPrompts
from activities.records.contracts import RowState
from api.cli.main import cli
from api.client import PrismClient
from catalogs.row import Cache, CatalogRow
from temporal.contract import StepRef
from tests.activities.llm.conftest import GatewayProcess
from tests.api.http.serving import serving
from tests.installation import Installation
from tests.provider.process import VendorProcess
from workers.cache import embeddings_of
from workers.settings import Settings
from workflows.caching import Caching

FIRST, LIKE_IT = "How is the {} password reset?", "What resets the {} password?"


def leaning(cosine: float) -> list[float]:
    """A vector that stands to the first axis at an angle."""
    return [cosine, math.sqrt(1 - cosine * cosine)]


class Semantic:
    """A gateway whose vectors are scripted."""

    def __init__(self, gateway: GatewayProcess, vendor: VendorProcess) -> None:
        self.gateway, self.vendor = gateway, vendor

    async def ask(self, prompt: str, **changes: Any) -> ModelAnswer:
        step = StepRef(run="run-1", row=f"row/{uuid.uuid4().hex}", step="model")
        values = {"step": step, "prompt": Text.by_value(prompt), "timeout": 60, "cache": "semantic", **changes}
        async with aclosing(self.gateway.client()) as client:
            return await client.complete(ModelRequest.model_validate(values))

    async def embedded(self) -> int:
        return len((await self.vendor.calls())["embedded"])


@pytest.fixture(scope="module")
async def semantic_gateway(
    tmp_path_factory: pytest.TempPathFactory, vendor_server: VendorProcess
) -> AsyncIterator[GatewayProcess]:
    settings = {
        "PRISM_CACHE_EMBEDDINGS": "scripted",
        "PRISM_CACHE_EMBEDDINGS_URL": vendor_server.url,
        "PRISM_CACHE_EMBEDDINGS_KEY": "sk-planted-embeddings",
    }
    gateway = GatewayProcess(tmp_path_factory.mktemp("semantic"), vendor_server, **settings)
    await gateway.start()
    # litellm imports what a call needs with the first one, which may take longer than vectors are waited for.
    async with asyncio.timeout(180):
        while True:
            prompt = f"warm {uuid.uuid4().hex}"
            await Semantic(gateway, vendor_server).ask(prompt, timeout=120)
            counts = await cache_counts(gateway.settings.socket)
            if counts.missed > counts.embedding_faults:
                break
    yield gateway
    await gateway.kill()


@pytest.fixture
async def semantic(semantic_gateway: GatewayProcess, vendor: VendorProcess) -> Semantic:
    await clear_cache(semantic_gateway.settings.socket)
    await vendor.script(vectors={"What": leaning(0.97), "How": [1.0]})
    return Semantic(semantic_gateway, vendor)


async def test_a_similar_request_gets_the_answer_marked_as_what_it_is(semantic: Semantic) -> None:
    before = await cache_counts(semantic.gateway.settings.socket)
    step = StepRef(run="sunday", row="faq/reset", step="model")
    first = await semantic.ask(FIRST.format("mail"), step=step)
    assert (first.cached_from, first.similar) == ("", None)
    again = await semantic.ask(LIKE_IT.format("mail"))
    assert again.output == first.output
    assert (again.cache_level, again.cached_from) == (CacheLevel.SEMANTIC, digest_of(step.key.encode()))
    assert again.similar == Similar(run="sunday", row="faq/reset", similarity=0.97)
    assert again.prompt_tokens == again.completion_tokens == 0
    exact = await semantic.ask(FIRST.format("mail"))
    assert (exact.cache_level, exact.similar) == (CacheLevel.NEAR, None)
    assert (await semantic.vendor.requests(), await semantic.embedded()) == (1, 2), "an exact hit needs no vector"
    after = await cache_counts(semantic.gateway.settings.socket)
    assert (after.semantic - before.semantic, after.missed - before.missed) == (1, 1)


@pytest.mark.parametrize(
    ("prompt", "changes"),
    [
        ("What about 5 apples and the {} password?", {}),
        ("What never resets the {} password?", {}),
        ("Unlike anything else, the {} password", {}),
        (LIKE_IT, {"board": "Law"}),
        (LIKE_IT, {"kin": ["restricted", "", ""]}),
        (LIKE_IT, {"system": "Be brief"}),
        (LIKE_IT, {"max_tokens": 9}),
        (LIKE_IT, {"output_schema": {"type": "object"}}),
        (LIKE_IT, {"cache": "use"}),
    ],
)
async def test_what_is_another_request_in_any_other_way_is_asked(
    semantic: Semantic, prompt: str, changes: dict[str, Any]
) -> None:
    await semantic.ask(FIRST.format("mail"))
    seen = await semantic.vendor.requests()
    answer = await semantic.ask(prompt.format("mail"), **changes)
    assert (answer.cached_from, await semantic.vendor.requests()) == ("", seen + 1)


async def test_who_waits_for_a_call_under_way_and_takes_no_similar_answer_gets_none(semantic: Semantic) -> None:
    await semantic.ask(FIRST.format("mail"))
    seen = await semantic.vendor.requests()
    asked = [semantic.ask(LIKE_IT.format("mail"), cache=mode) for mode in ("semantic", "semantic", "use", "use")]
    similar, likewise, *own = await asyncio.gather(*asked)
    assert [bool(one.similar) for one in own] == [False, False]
    assert await semantic.vendor.requests() == seen + 1
    # Where the others came first, theirs is the same request's answer, and better.
    assert similar.cached_from
    assert likewise.cached_from


@pytest.mark.parametrize("fault", ["500", "malformed", "empty", "reset", "hang"])
async def test_a_fault_of_embeddings_is_a_miss_that_is_not_repeated(semantic: Semantic, fault: str) -> None:
    await semantic.ask(FIRST.format("mail"))
    counts = await cache_counts(semantic.gateway.settings.socket)
    await semantic.vendor.script(embedding_faults=[fault])
    answer = await semantic.ask(LIKE_IT.format("mail"))
    assert (answer.cached_from, await semantic.vendor.requests(), await semantic.embedded()) == ("", 2, 2)
    after = await cache_counts(semantic.gateway.settings.socket)
    assert after.embedding_faults == counts.embedding_faults + 1


def envelope_text(envelope: bytes) -> str:
    return base64.b64decode(json.loads(envelope)["payload"]).decode()


async def test_rows_pages_results_usage_and_provenance_say_that_it_is_a_similar_requests_answer(
    semantic: Semantic, dev_client: Client
) -> None:
    installation = Installation.with_settings(semantic.gateway.settings, dev_client, lambda _: "")
    runs = []
    async with aclosing(semantic.gateway.client()) as completion:
        installation.model = completion  # type: ignore[assignment] # the gateway itself, not what stands for it
        async with installation.worker():
            for objective in (FIRST, LIKE_IT):
                row = f"faq,{objective.format('mail')},custom,semantic,5m"
                runs.append(await installation.start(f"id,objective,model,cache,timeout\n{row}\n"))
                assert (await runs[-1].result()).counts == {RowState.SUCCEEDED: 1}
    assert await semantic.vendor.requests() == 1
    settings = semantic.gateway.settings.model_copy(
        update={"temporal_address": "127.0.0.1:1", "cache_embeddings": "scripted"}
    )
    with serving(settings) as served:
        await asyncio.to_thread(told, served.url, *(run.run for run in runs))
    await semantic.ask(LIKE_IT.format("mail"))
    assert await semantic.vendor.requests() == 2, "what was cleared serves nobody"


def told(url: str, first: str, second: str) -> None:
    what = f"similarity 0.97, of {first}/faq"
    with PrismClient(url) as client:
        assert client.row(first, "faq").similar == []
        row = client.row(second, "faq")
        assert row.similar == [Similar(run=first, row="faq", similarity=0.97)]
        (step,) = [one for one in row.steps if one.step == "model"]
        assert what in step.summary
        assert step.detail["cache_level"] == "semantic"
        page = httpx.get(f"{url}/runs/{second}/rows/faq", timeout=60).text
        assert "answer of a similar request, similarity 0.97, of" in page
        assert f'href="/runs/{first}/rows/faq"' in page
        assert what in httpx.get(f"{url}/api/v1/runs/{second}/results?format=csv", timeout=60).text
        assert row.envelope
        envelope = httpx.get(f"{url}/api/v1/artifacts/{row.envelope}", timeout=60).content
        assert f"answer of a similar request, {what}" in envelope_text(envelope)
        assert client.usage(1).total.semantic >= 1
        assert "Semantic" in httpx.get(f"{url}/usage", timeout=60).text
        assert "scripted" in httpx.get(f"{url}/system", timeout=60).text
        assert 'prism_answers{by="semantic"}' in httpx.get(f"{url}/metrics", timeout=60).text
        shown = [
            CliRunner().invoke(cli, ["--url", url, *words]).output
            for words in (["row", second, "faq"], ["usage"], ["cache", "stats"])
        ]
        assert "answer of a similar request, similarity 0.97" in " ".join(shown[0].split())
        assert "by a similar request's answer" in " ".join(shown[1].split())
        assert "scripted, similarity 0.95 and more" in " ".join(shown[2].split())
        cleared = client.cache.clear()
        assert (cleared.embeddings, cleared.similarity) == ("scripted", 0.95)


class Outside:
    """Embeddings of others: what they are given has left the house."""

    name, local = "outside", False

    def __init__(self) -> None:
        self.given: list[str] = []

    async def of(self, text: str) -> Embedding:
        self.given.append(text)
        return Embedding(vector=(1.0,), cost_usd=0.25)


class Broken:
    """Kept vectors that cannot be reached."""

    async def newest(self, *_: object) -> Any:
        raise SimilarUnavailable("down")

    put = clear = newest


def request(prompt: str, **changes: Any) -> ModelRequest:
    step = StepRef(run="r", row=uuid.uuid4().hex, step="model")
    return ModelRequest(step=step, prompt=Text.by_value(prompt), cache=Cache.SEMANTIC, **changes)


async def test_what_may_not_leave_the_house_and_what_calls_tools_is_shown_to_no_embeddings(
    engine: Engine, tmp_path: Path
) -> None:
    outside, texts = Outside(), Texts(FolderArtifactStore(tmp_path / "artifacts"), inline_limit=1000)
    similar = SimilarAnswers(RecordedPrompts(engine), texts, outside, 0.95, 60)
    assert await similar.asked(request("secret", local_only=True), ["x"]) is None
    assert await similar.asked(request("tooled", tools={"sum": digest_of(b"sum")}), ["x"]) is None
    assert outside.given == []
    assert await similar.asked(request("open"), ["x"])
    assert (outside.given, similar.counts["embeddings_usd"]) == (["open"], 0.25)
    off = SimilarAnswers(RecordedPrompts(engine), texts, None, 0.95, 60)
    assert await off.asked(request("open"), ["x"]) is None


async def test_vectors_are_kept_by_scope_until_they_are_old_or_cleared(engine: Engine, tmp_path: Path) -> None:
    now = [1000.0]
    kept = RecordedPrompts(engine, lambda: now[0])
    texts = Texts(FolderArtifactStore(tmp_path / "artifacts"), inline_limit=1000)
    similar = SimilarAnswers(kept, texts, Outside(), 0.95, 60)
    asked = await similar.asked(request("pay 100"), ["x"])
    other = await similar.asked(request("pay 900"), ["x"])
    assert asked
    assert other
    for _ in range(2):
        await similar.keep(asked, "key")
    assert [one.answer for one in await similar.near(asked)] == ["key"]
    assert list(await similar.near(other)) == []
    now[0] += 61
    assert list(await similar.near(asked)) == []
    await similar.keep(asked, "later")
    await similar.clear()
    assert list(await similar.near(asked)) == []
    down = SimilarAnswers(cast("RecordedPrompts", Broken()), texts, Outside(), 0.95, 60)
    await down.keep(asked, "key")
    assert (list(await down.near(asked)), down.counts["embedding_faults"]) == ([], 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [("pay $100", "pay $900"), ("is it -5?", "is it 5?"), ("do it", "do not do it"), ("it is", "it isn\u2019t"),
     ("1 of 2", "2 of 1")],
)  # fmt: skip
def test_numbers_and_negations_tell_requests_apart(one: str, other: str) -> None:
    assert marks_of(one) != marks_of(other)


def test_punctuation_and_other_words_do_not() -> None:
    assert marks_of("Pay (100), NOT 20%!") == marks_of("please 100, not: 20%") == "100 not 20%"


def test_other_models_and_other_embeddings_are_another_scope() -> None:
    asked = request("a")
    scopes = {scope_of(asked, models, name) for models in (["x"], ["y"]) for name in ("v", "w")}
    assert len(scopes) == 4
    assert scope_of(request("b", timeout=5), ["x"], "v") == scope_of(asked, ["x"], "v")


def test_the_most_similar_comes_first_and_other_dimensions_are_passed_over() -> None:
    asked = Asked(
        step=StepRef(run="r", row="a", step="model"), scope="s", prompt=digest_of(b""), marks="", vector=(1.0, 0.0)
    )

    def known(answer: str, *vector: float) -> AnsweredPrompt:
        data = struct.pack(f"<{len(vector)}f", *vector)
        return AnsweredPrompt(scope="s", prompt=digest_of(b""), marks="", vector=data, answer=answer, run="r", row="b")

    found = nearest(
        asked, [known("far", 0.5, 0.8), known("near", 0.96, 0.28), known("same", 1, 0), known("odd", 1)], 0.95
    )
    assert [one.answer for one in found] == ["same", "near"]


def test_only_the_first_call_of_a_row_may_get_a_similar_answer() -> None:
    row = CatalogRow(id="a", line=2, objective="o", cache=Cache.SEMANTIC)
    fresh = Caching(generation=0)
    assert fresh.of(row, "draft", similar=True) is Cache.SEMANTIC
    assert fresh.of(row, "draft with what was wrong", similar=True) is Cache.USE
    assert fresh.of(row, "draft", similar=True) is Cache.REFRESH, "its own answer was refused"
    assert Caching(generation=0).of(row, "a judge's") is Cache.USE
    assert Caching(generation=1).of(row, "draft", similar=True) is Cache.REFRESH


def load() -> Any:
    raise AssertionError("nothing is asked here")


@pytest.mark.parametrize(
    ("url", "declared", "local"),
    [("http://127.0.0.1:9/v1", False, True), ("https://vectors.example/v1", False, False),
     ("https://vectors.example/v1", True, True), ("", True, False)],
)  # fmt: skip
def test_an_endpoint_is_local_on_loopback_or_where_somebody_says_so(url: str, declared: bool, local: bool) -> None:
    settings = Settings(
        cache_embeddings="openai/x", cache_embeddings_url=url, cache_embeddings_local=declared,
        cache_embeddings_key=SecretStr("k"),
    )  # fmt: skip
    found = embeddings_of(settings, None, load)
    assert found
    assert found.local is local


@pytest.mark.parametrize(("model", "url"), [("nameless", ""), ("", "http://127.0.0.1/v1"), ("x", "127.0.0.1:11434")])
def test_embeddings_that_are_named_wrongly_are_told_at_the_start(model: str, url: str) -> None:
    with pytest.raises(InvalidCache, match="PRISM_CACHE_EMBEDDINGS"):
        embeddings_of(Settings(cache_embeddings=model, cache_embeddings_url=url), None, load)
    assert embeddings_of(Settings(), None, load) is None
