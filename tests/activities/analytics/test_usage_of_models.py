"""Usage read from the ledger, on SQLite and PostgreSQL; and votes there too."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from activities.analytics.contracts import Next, Unit
from activities.analytics.failovers import failovers
from activities.analytics.usage import quantile, usage
from activities.artifacts.contracts import Text
from activities.feedback.contracts import Dimension, Given, NothingToRate, Rating
from activities.feedback.pairs import PreferencePairs
from activities.feedback.register import SqlFeedbackRegister
from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.llm.incidents import Change, CircuitChange, FailedRequest
from activities.records.calls import SqlCallLedger
from activities.records.database import timestamp, upsert
from activities.records.incidents import SqlIncidents
from activities.records.tables import CallRow, TaskRecord
from temporal.contract import StepRef

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
_CALLS = CallRow.__table__  # type: ignore[attr-defined]


async def answered(engine: Engine, key: str, model: str, ago: timedelta, **told: object) -> None:
    ledger, call = SqlCallLedger(engine), asked(key)
    await ledger.begin(call)
    answer = ModelAnswer(output=Text.by_value(key), group="g", model=model, **told)  # type: ignore[arg-type]
    await ledger.record(call, answer)
    with engine.begin() as connection:
        moment = timestamp(NOW - ago)
        connection.execute(update(_CALLS).where(_CALLS.c.key == call.step.key).values(answered_at=moment))


def asked(row: str) -> ModelRequest:
    return ModelRequest(step=StepRef(run="r", row=row, step="model"), prompt=Text.by_value("Say hello"))


def failed(row: str, number: int = 1, model: str = "openai/x", message: str = "") -> FailedRequest:
    told = {"deployment": "front", "model": model, "fault": "ModelUnavailable", "message": message}
    return FailedRequest.model_validate({"step": asked(row).step, "number": number, "milliseconds": 80, **told})


async def test_calls_of_a_period_are_told_by_day_and_by_model(engine: Engine) -> None:
    hour = timedelta(hours=1)
    for number, milliseconds in enumerate((100, 200, 300, 4000)):
        told = {"latency_ms": milliseconds, "cost_usd": 0.5, "prompt_tokens": 10, "completion_tokens": 5}
        await answered(engine, f"o{number}", "openai/x", hour * number * 24, **told, attempt=2 if number == 3 else 1)
    await answered(engine, "l", "local/y", hour, latency_ms=900)
    await answered(engine, "house", "openai/llama", hour * 24 * 3, local=True)
    await answered(engine, "join", "openai/llama", hour * 24 * 3, local=True, cached_from="k", cache_level="joined")
    await answered(engine, "old", "openai/x", hour * 24 * 9, cost_usd=100.0)
    await SqlCallLedger(engine).begin(asked("unanswered"))
    # A field that another version of the gateway writes is read where it is there.
    with engine.begin() as connection:
        told = ModelAnswer(output=Text.by_value("c"), group="g", model="openai/x").model_dump(mode="json")
        cached = {"answer": told | {"cached_from": "k", "saved_usd": 0.25}, "answered_at": timestamp(NOW)}
        row = {"key": "c", "model_group": "g", "request": "", "started_at": timestamp(NOW), "starts": 1}
        connection.execute(upsert(engine, CallRow).values(**row, **cached, under_way=False))

    found = await usage(engine, 7, NOW)

    assert (found.unit, [part.at[:10] for part in found.parts][::6]) == (Unit.DAY, ["2026-11-21", "2026-11-27"])
    assert [part.calls for part in found.parts] == [0, 0, 0, 3, 1, 1, 3]
    total = found.total
    assert (total.calls, total.local, total.cached, total.joined) == (8, 3, 2, 1), "declared local is local too"
    assert (total.cost_usd, total.saved_usd) == (2.0, 0.25)
    openai, _, local = found.models
    assert (openai.model, openai.calls, openai.again, openai.median_ms, openai.slow_ms) == ("openai/x", 5, 1, 200, 4000)
    assert (local.model, local.median_ms, local.cost_usd) == ("local/y", 900, 0.0)
    hourly = await usage(engine, 1, NOW)
    assert (hourly.unit, len(hourly.parts), hourly.total.calls) == (Unit.HOUR, 24, 3)


async def test_failed_requests_are_counted_by_deployment_and_fault(engine: Engine) -> None:
    for number in range(3):
        await SqlIncidents(engine).failed(failed(f"k{number}", message=f"answered 50{number}"))
    found = await usage(engine, 1)
    (failures,) = found.failures
    told = (failures.deployment, failures.code, failures.failed, failures.message)
    assert told == ("openai/x", "ModelUnavailable", 3, "answered 502")
    assert found.total.calls == 0


async def test_an_incident_says_what_failed_and_where_the_call_went_next(engine: Engine) -> None:
    incidents, ledger = SqlIncidents(engine), SqlCallLedger(engine)
    for row in ("good", "busy", "given up"):
        await ledger.begin(asked(row))
    await incidents.failed(failed("good"))
    await incidents.changed(
        CircuitChange(deployment="front", model="openai/x", change=Change.OPENED, seconds=15, reason="3 faults")
    )
    await incidents.failed(failed("good", 2, "anthropic/y"))
    await incidents.failed(failed("busy"))
    await incidents.failed(failed("given up"))
    await ledger.record(asked("good"), ModelAnswer(output=Text.by_value("x"), group="g", model="local/z"))
    await ledger.ended(asked("given up").step.key)

    found = await failovers(engine, 1)
    told = [(one.row, one.number, one.model, one.next, one.next_model) for one in found.events]
    assert told == [
        ("given up", 1, "openai/x", Next.NOBODY, ""),
        ("busy", 1, "openai/x", Next.UNDER_WAY, ""),
        ("good", 2, "anthropic/y", Next.ANSWERED, "local/z"),
        ("", 0, "openai/x", None, ""),
        ("good", 1, "openai/x", Next.FAILED, "anthropic/y"),
    ]
    circuit = found.events[3]
    assert (circuit.change, circuit.seconds, circuit.message, circuit.deployment) == ("opened", 15, "3 faults", "front")
    newest = await failovers(engine, 1, limit=2)
    assert (newest.events, newest.more, found.more) == (found.events[:2], True, False)
    assert (await failovers(engine, 1, now=datetime.now(UTC) + timedelta(days=2))).events == ()


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.51, 3), (0.95, 4), (0.0, 1), (1.0, 4)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert quantile([1, 2, 3, 4], share) == value


async def test_votes_are_kept_and_counted_on_both_databases(engine: Engine) -> None:
    made = {"objective": "", "state": "succeeded", "output_digest": Text.by_value("x").digest, "model": "m"}
    with engine.begin() as connection:
        connection.execute(upsert(engine, TaskRecord).values(run="r", row="a", position=0, board="ops", **made))
    register = SqlFeedbackRegister(engine)
    given = Given(run="r", row="a", by="ana", rating=Rating.BAD)
    await register.rate(given)
    await register.rate(given.model_copy(update={"rating": Rating.GOOD}))
    await register.rate(given.model_copy(update={"by": "ben"}))
    (score,) = await register.scores(Dimension.MODEL)
    assert (score.name, score.good, score.votes, score.outputs) == ("m", 1, 2, 1)
    assert await register.scores(Dimension.AGENT) == []
    assert await register.scores(Dimension.BOARD, since=timestamp(datetime.now(UTC) + timedelta(days=1))) == []
    with pytest.raises(NothingToRate):
        await register.rate(given.model_copy(update={"row": "b"}))


async def test_a_vote_without_a_prompt_makes_no_pair(engine: Engine) -> None:
    made = {"objective": "", "state": "succeeded", "output_digest": Text.by_value("x").digest}
    with engine.begin() as connection:
        connection.execute(upsert(engine, TaskRecord).values(run="r", row="a", position=0, **made))
    better = Text.by_value("y").digest
    await SqlFeedbackRegister(engine).rate(Given(run="r", row="a", by="ana", rating=Rating.BAD, better=better))
    assert await PreferencePairs(engine, None).count() == 0  # type: ignore[arg-type]  # nothing is read
