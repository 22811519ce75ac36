"""Answers that are shown while they arrive: what is heard of them, and that nothing else about them changes."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from activities.llm.contracts import ModelRefused, ModelUnavailable
from activities.llm.partial import heard_so_far
from activities.records.contracts import RowState, RunState, StepEvent, StepState
from activities.records.database import timestamp
from activities.records.journal import SqlStepJournal
from tests.activities.llm.conftest import GatewayProcess
from tests.activities.llm.test_gateway import request
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import serving
from tests.conftest import free_port
from tests.provider.process import VendorProcess


@pytest.fixture(scope="module")
async def streaming(
    tmp_path_factory: pytest.TempPathFactory, vendor_server: VendorProcess
) -> AsyncIterator[GatewayProcess]:
    """A gateway that asks every vendor for its answers piece by piece."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("streaming"), vendor_server, PRISM_MODEL_STREAM="all")
    await gateway.start()
    yield gateway
    await gateway.kill(signal.SIGTERM)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches waits: on a machine that runs everything else too, half a second is soon over."""
    monkeypatch.setattr("activities.llm.partial.ANSWER_WITHIN_SECONDS", 30.0)


async def test_an_answer_is_heard_while_it_arrives_and_kept_whole(
    streaming: GatewayProcess, vendor: VendorProcess
) -> None:
    await vendor.script(pause=0.6, answers={"Say hello": "one two three four five six"})
    asked = request(f"grows-{uuid.uuid4()}")
    heard = []
    async with aclosing(streaming.client()) as client:
        asking = asyncio.create_task(client.complete(asked))
        while not asking.done():
            heard.append(await heard_so_far(streaming.settings.socket, asked.step.key))
            await asyncio.sleep(0.05)
        answer = await asking
    await vendor.script(pause=0.0)
    assert answer.output.inline == "one two three four five six"
    assert (answer.prompt_tokens, answer.completion_tokens, answer.finish_reason) == (10, 5, "stop")
    growing = sorted({text for text in heard if text}, key=len)
    assert len(growing) > 2
    assert all(answer.output.inline.startswith(text) for text in growing)
    assert await heard_so_far(streaming.settings.socket, asked.step.key) == ""
    assert await vendor.requests() == 1


async def test_the_page_of_a_row_shows_what_has_arrived_of_an_answer(
    streaming: GatewayProcess, vendor: VendorProcess
) -> None:
    asked = request("watched", timeout=60)
    asked = asked.model_copy(update={"step": asked.step.model_copy(update={"context": "notes"})})
    await Seeder(streaming.settings, streaming.stores).run(
        "r", "Told", [Seed("watched", "Watched", "Say hello", state=RowState.RUNNING)], state=RunState.RUNNING
    )
    async with SqlStepJournal(streaming.stores.engine) as journal:
        journal.note(StepEvent(step=asked.step, state=StepState.RUNNING, at=timestamp()))
    await vendor.script(pause=1.0, answers={"Say hello": "one two three four five six seven eight"})
    with serving(streaming.settings.model_copy(update={"temporal_address": f"127.0.0.1:{free_port()}"})) as served:
        async with (
            aclosing(streaming.client()) as client,
            httpx.AsyncClient(base_url=served.url, headers={"accept": "text/html"}, timeout=60) as browser,
        ):
            asking = asyncio.create_task(client.complete(asked))
            page = ""
            while not asking.done() and "one two" not in page:
                page = (await browser.get("/runs/r/rows/watched")).text
            await vendor.script(pause=0.0)
            await asking
    assert "one two" in page
    assert "seven eight" not in page
    assert "so far" in page
    assert 'hx-trigger="every 700ms"' in page


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("429", ModelUnavailable),
        ("500", ModelUnavailable),
        ("401", ModelRefused),
        ("malformed", ModelUnavailable),
        ("html", ModelUnavailable),
        ("cut", ModelUnavailable),
        ("cut_stream", ModelUnavailable),
        ("reset", ModelUnavailable),
        ("drip", ModelUnavailable),
        ("hang", ModelUnavailable),
    ],
)
async def test_a_fault_in_a_stream_costs_one_request_and_is_told_like_any_other(
    streaming: GatewayProcess, vendor: VendorProcess, fault: str, outcome: type[Exception]
) -> None:
    await vendor.script(faults=[fault])
    async with aclosing(streaming.client()) as client:
        with pytest.raises(outcome) as raised:
            await client.complete(request(timeout=2))
    assert "sk-planted-secret" not in str(raised.value)
    assert await vendor.requests() == 1


async def test_a_stream_without_text_is_an_answer_too(streaming: GatewayProcess, vendor: VendorProcess) -> None:
    await vendor.script(faults=["empty"])
    async with aclosing(streaming.client()) as client:
        assert (await client.complete(request("silent"))).output.inline == ""
    assert await vendor.requests() == 1


async def test_nobody_waits_for_a_gateway_that_is_not_there(streaming: GatewayProcess) -> None:
    nowhere = streaming.settings.socket.with_name("nowhere.sock")
    assert await heard_so_far(nowhere, request().step.key) == ""
