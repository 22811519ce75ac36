"""The embedded model's process: it starts, comes back, and goes when it is told to, also in the middle of an answer."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import psutil
import pytest

from activities.llm.contracts import ModelUnavailable
from activities.llm.embedded import EmbeddedModel, model_file


@pytest.fixture
async def model() -> AsyncIterator[EmbeddedModel]:
    model = EmbeddedModel()
    yield model
    await model.aclose()


async def say(base: str, tokens: int) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "Tell a long story"}], "max_tokens": tokens}
    async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
        answer = (await client.post(f"{base}/chat/completions", json=body)).raise_for_status().json()
    return int(answer["usage"]["completion_tokens"])


async def test_a_server_that_died_is_started_again(model: EmbeddedModel) -> None:
    first = await model.api_base()
    assert await model.api_base() == first
    assert model._process
    model._process.kill()
    await model._process.wait()
    assert 0 < await say(await model.api_base(), 8) <= 8


async def test_a_stop_in_the_middle_of_an_answer_is_quick(model: EmbeddedModel) -> None:
    answering = asyncio.create_task(say(await model.api_base(), 3000))
    await asyncio.sleep(0.3)
    assert not answering.done()
    async with asyncio.timeout(20):
        await model.aclose()
    with suppress(httpx.HTTPError):
        await answering


async def test_a_start_does_not_hold_up_other_calls_and_a_cancelled_one_leaves_no_process(model: EmbeddedModel) -> None:
    before = {child.pid for child in psutil.Process().children()}
    starting = asyncio.create_task(model.api_base())
    await asyncio.sleep(0.1)
    assert not starting.done()
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    assert {child.pid for child in psutil.Process().children()} <= before


async def test_it_ends_with_whoever_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "activities.llm.embedded_server", str(model_file())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    assert (await process.stdout.readline()).startswith(b"http://127.0.0.1:")
    process.stdin.close()
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def test_a_file_that_is_no_model_is_told(model: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.llm.embedded.model_file", lambda: __file__)
    with pytest.raises(ModelUnavailable, match="did not start"):
        await model.api_base()
