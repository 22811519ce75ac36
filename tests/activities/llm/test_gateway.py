"""The model gateway over its real socket, in front of a vendor that fails on demand."""

import asyncio
import signal
import uuid
from contextlib import aclosing

import pytest

from activities.artifacts.contracts import Text, digest_of
from activities.llm.contracts import ModelRefused, ModelRequest, ModelUnavailable, UnknownModel
from activities.llm.groups import PROVIDERS
from activities.llm.price_list import ask_prices
from temporal.contract import StepRef
from temporal.errors import PrismError
from tests.activities.llm.conftest import GatewayProcess
from tests.provider.process import VendorProcess

REFUSED, UNAVAILABLE = ModelRefused, ModelUnavailable


def request(row: str | None = None, **changes: object) -> ModelRequest:
    prompt = "Say hello"
    text = Text(digest=digest_of(prompt.encode()), size=len(prompt), inline=prompt)
    step = StepRef(run="r", row=row or uuid.uuid4().hex, step="model")
    return ModelRequest.model_validate({"step": step, "prompt": text, "timeout": 5, **changes})


async def until_seen(vendor: VendorProcess, count: int) -> None:
    async with asyncio.timeout(60):
        while await vendor.requests() < count:
            await asyncio.sleep(0.01)


async def test_an_answer_names_its_model_and_what_it_used(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    async with aclosing(gateway.client()) as client:
        answer = await client.complete(request())
    assert answer.output.inline
    assert answer.output.inline.startswith("Answer to a prompt")
    assert (answer.group, answer.model) == ("custom", "openai/stub")
    assert (answer.prompt_tokens, answer.completion_tokens) == (10, 5)


async def test_every_provider_that_a_key_is_enough_for_has_a_price(gateway: GatewayProcess) -> None:
    listed = await ask_prices(gateway.settings.socket, [*PROVIDERS, "local", "nobody"])
    assert [one.group for one in listed.prices] == [*PROVIDERS, "local"]
    for one in listed.prices[:-1]:
        assert not one.unpriced
        assert 0 < one.usual.input <= one.usual.output
    assert listed.prices[-1].local
    assert "nobody" in listed.unknown


async def test_the_same_key_is_paid_once_and_answered_from_the_ledger(
    gateway: GatewayProcess, vendor: VendorProcess
) -> None:
    async with aclosing(gateway.client()) as client:
        first = await client.complete(request("again"))
        second = await client.complete(request("again"))
    assert (first.replayed, second.replayed) == (False, True)
    assert second.output == first.output
    assert await vendor.requests() == 1


async def test_those_who_ask_at_the_same_moment_share_one_call(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    await vendor.script(delay=0.3)
    async with aclosing(gateway.client()) as client:
        answers = await asyncio.gather(*(client.complete(request("together")) for _ in range(20)))
    assert len({answer.output.digest for answer in answers}) == 1
    assert await vendor.requests() == 1


async def test_a_call_goes_on_when_whoever_asked_is_gone(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    await vendor.script(delay=0.5)
    async with aclosing(gateway.client()) as client:
        asking = asyncio.create_task(client.complete(request("gone")))
        await until_seen(vendor, 1)
        asking.cancel()
    async with aclosing(gateway.client()) as client:
        answer = await client.complete(request("gone"))
    assert answer.output.inline
    assert await vendor.requests() == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("429", UNAVAILABLE),
        ("500", UNAVAILABLE),
        ("502", UNAVAILABLE),
        ("503", UNAVAILABLE),
        ("529", UNAVAILABLE),
        ("408", UNAVAILABLE),
        ("307", REFUSED),
        ("400", REFUSED),
        ("401", REFUSED),
        ("402", REFUSED),
        ("403", REFUSED),
        ("404", REFUSED),
        ("413", REFUSED),
        ("422", REFUSED),
        ("malformed", UNAVAILABLE),
        ("html", UNAVAILABLE),
        ("cut", UNAVAILABLE),
        ("reset", UNAVAILABLE),
        ("drip", UNAVAILABLE),
        ("hang", UNAVAILABLE),
    ],
)
async def test_a_fault_costs_exactly_one_request_and_says_whether_a_retry_could_help(
    gateway: GatewayProcess, vendor: VendorProcess, fault: str, outcome: type[Exception]
) -> None:
    await vendor.script(faults=[fault])
    async with aclosing(gateway.client()) as client:
        with pytest.raises(outcome) as raised:
            await client.complete(request(timeout=2))
        assert await vendor.requests() == 1
        assert "sk-planted-secret" not in str(raised.value)
    # The gateway told it; the client did not just lose patience.
    assert isinstance(raised.value, PrismError)
    assert raised.value.details["model"] == "openai/stub"


@pytest.mark.parametrize("oddity", ["empty", "odd_usage"])
async def test_an_odd_answer_is_paid_for_and_kept(gateway: GatewayProcess, vendor: VendorProcess, oddity: str) -> None:
    await vendor.script(faults=[oddity])
    async with aclosing(gateway.client()) as client:
        first = await client.complete(request(oddity))
        assert await client.complete(request(oddity)) == first.model_copy(update={"replayed": True})
    assert (first.output.inline == "") == (oddity == "empty")
    assert await vendor.requests() == 1


async def test_a_run_named_in_any_script_has_a_key_that_fits_a_header(
    gateway: GatewayProcess, vendor: VendorProcess
) -> None:
    async with aclosing(gateway.client()) as client:
        assert (await client.complete(request("größe"))).output.size
    assert list((await vendor.calls())["keys"]) == ["catalog/r/row/gr%C3%B6%C3%9Fe/model/0"]


async def test_how_long_to_wait_after_a_429_is_handed_on(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    await vendor.script(faults=["429"])
    async with aclosing(gateway.client()) as client:
        with pytest.raises(ModelUnavailable) as raised:
            await client.complete(request())
    assert raised.value.details["retry_after"] == 1


async def test_a_failed_call_is_made_again_under_the_same_key(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    await vendor.script(faults=["500"])
    async with aclosing(gateway.client()) as client:
        with pytest.raises(ModelUnavailable):
            await client.complete(request("retried"))
        assert (await client.complete(request("retried"))).output.size
    assert (await vendor.calls())["keys"] == {"catalog/r/row/retried/model/0": 2}


async def test_an_unknown_group_is_refused_with_the_known_ones(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    async with aclosing(gateway.client()) as client:
        with pytest.raises(UnknownModel, match=r"no model group is called 'gpt-9'; there are custom, .*local"):
            await client.complete(request(group="gpt-9"))


async def test_the_embedded_model_answers_for_real(gateway: GatewayProcess, vendor: VendorProcess) -> None:
    async with aclosing(gateway.client()) as client:
        answer = await client.complete(request(group="local", max_tokens=24, timeout=60))
    assert answer.output.size
    assert answer.completion_tokens > 0
    assert answer.cost_usd == 0
    assert await vendor.requests() == 0


async def test_a_killed_gateway_forgets_no_answer_and_shows_what_may_have_been_paid_in_vain(
    gateway: GatewayProcess, vendor: VendorProcess
) -> None:
    await vendor.script(delay=1.0)
    async with aclosing(gateway.client()) as client:
        await client.complete(request("kept"))
        asking = asyncio.create_task(client.complete(request("lost")))
        await until_seen(vendor, 2)
        await gateway.kill()
        with pytest.raises(ModelUnavailable, match="gateway does not answer"):
            await asking
    await gateway.start()
    await vendor.script(delay=0.0)
    async with aclosing(gateway.client()) as client:
        assert (await client.complete(request("kept"))).replayed
        assert not (await client.complete(request("lost"))).replayed
    with gateway.stores.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT key, starts FROM calls WHERE key LIKE '%/row/%st/%' OR key LIKE '%/kept/%'"
        )
        starts = {row[0]: row[1] for row in rows}
    assert starts == {"catalog/r/row/kept/model/0": 1, "catalog/r/row/lost/model/0": 2}


async def test_a_stopped_gateway_lands_paid_calls_drops_free_ones_and_its_successor_pays_nothing_again(
    gateway: GatewayProcess, vendor: VendorProcess
) -> None:
    await vendor.script(delay=2.0)
    async with aclosing(gateway.client()) as client:
        paid = asyncio.create_task(client.complete(request("landing", timeout=20)))
        free = [asyncio.create_task(client.complete(request(group="local", timeout=60))) for _ in range(4)]
        await until_seen(vendor, 1)
        first = gateway.process
        assert first
        first.send_signal(signal.SIGTERM)
        await gateway.spawn()
        # Two seconds of the vendor's; no waiting for the free calls, nor for those who keep their connections.
        async with asyncio.timeout(60):
            assert await first.wait() == 0
        assert (await paid).output.size
        assert all(isinstance(fault, ModelUnavailable) for fault in await asyncio.gather(*free, return_exceptions=True))
    await gateway.ready()
    async with aclosing(gateway.client()) as client:
        assert (await client.complete(request("landing"))).replayed
    assert await vendor.requests() == 1
