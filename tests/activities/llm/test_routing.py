"""Which deployment is asked, in which order, and how many requests there are of one call, with a scripted provider."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from activities.artifacts.contracts import Text, digest_of
from activities.budgets.contracts import Taken
from activities.llm import routing
from activities.llm.contracts import (
    AttemptsExhausted,
    ModelAnswer,
    ModelMisconfigured,
    ModelRefused,
    ModelRequest,
    ModelUnavailable,
    NoLocalModel,
    PromptTooLong,
)
from activities.llm.groups import Deployment, ModelGroup, ModelGroups, Strategy
from activities.llm.health import FAULTS, FIRST_PAUSE_SECONDS
from activities.llm.incidents import Change, CircuitChange, FailedRequest
from activities.llm.partial import Heard
from activities.llm.routing import Router
from activities.records.contracts import RecordsUnavailable
from temporal.contract import StepRef
from temporal.errors import PrismError

DOWN = ModelUnavailable("down")


class Purse:
    """What deployments have spent of their budgets, in memory; the real one is tested where it is."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.renews_in = 3600.0

    async def take(self, deployment: str, limit_usd: float, usd: float) -> Taken:
        amount = round(usd * 1_000_000)
        granted = self.spent[deployment] + amount <= limit_usd * 1_000_000
        return Taken(
            deployment=deployment,
            period="day",
            amount=amount,
            granted=granted,
            spent=not granted,
            wait_seconds=0.0 if granted else self.renews_in,
            renews_in_seconds=self.renews_in,
        )

    async def settle(self, taken: Taken, usd: float) -> None:
        self.spent[taken.deployment] += round(usd * 1_000_000)

    async def spent_usd(self, deployment: str) -> float:
        return self.spent[deployment] / 1_000_000


class Scripted:
    """A provider that answers by script and counts; the last word of a script is repeated."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[PrismError | None]] = {}
        self.asked: list[str] = []
        self.prices: dict[str, float] = {}
        self.failures: list[FailedRequest] = []
        self.changes: list[CircuitChange] = []
        self.during: Callable[[str], None] = lambda _name: None
        self.allowances = Purse()

    async def complete(self, deployment: Deployment, request: ModelRequest, _heard: Heard | None) -> ModelAnswer:
        self.asked.append(deployment.group)
        self.during(deployment.group)
        script = self.scripts.get(deployment.group, [None])
        fault = script.pop(0) if len(script) > 1 else script[0]
        if fault:
            raise fault
        cost = self.prices.get(deployment.group, 0.0)
        return ModelAnswer(output=request.prompt, group=request.group, model=deployment.name, cost_usd=cost)

    async def most_usd(self, deployment: Deployment, _request: ModelRequest) -> float:
        return self.prices.get(deployment.group, 0.0)

    async def failed(self, request: FailedRequest) -> None:
        self.failures.append(request)

    async def changed(self, change: CircuitChange) -> None:
        self.changes.append(change)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Scripted:
    return Scripted()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that waiting moves on."""
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(routing.asyncio, "sleep", sleep)
    return clock


def deployment(name: str, **changes: object) -> Deployment:
    return Deployment.model_validate({"group": name, "model": f"openai/{name}", **changes})


def group(name: str, *deployments: Deployment, **changes: object) -> ModelGroup:
    return ModelGroup.model_validate({"name": name, "deployments": deployments, **changes})


def router(provider: Scripted, clock: Clock, *groups: ModelGroup) -> Router:
    found = ModelGroups(groups=groups, default=groups[0].name, aliases={"quick": groups[0].name})
    return Router(found, provider, provider, provider.allowances, clock, random.Random(7))  # noqa: S311 -- repeatable


def request(**changes: object) -> ModelRequest:
    prompt = Text(digest=digest_of(b"p"), size=4, inline="p")
    return ModelRequest.model_validate({"step": StepRef(run="r", row="a", step="model"), "prompt": prompt, **changes})


A, B, C = (deployment(name) for name in "abc")


async def test_the_next_deployment_answers_where_one_cannot(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN], "b": [DOWN]}
    found = router(provider, clock, group("fast", A, B, fallback=["smart"]), group("smart", C))
    answer = await found.complete(request())
    assert (answer.model, answer.attempt) == ("openai/c", 3)
    assert provider.asked == ["a", "b", "c"]
    told = [(one.number, one.deployment, one.model, one.fault) for one in provider.failures]
    assert told == [(1, "a", "openai/a", "ModelUnavailable"), (2, "b", "openai/b", "ModelUnavailable")]


async def test_each_deployment_is_asked_once_before_the_workflow_pauses(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN], "b": [ModelUnavailable("also down")]}
    with pytest.raises(ModelUnavailable, match="also down"):
        await router(provider, clock, group("fast", A, B)).complete(request(attempts=9))
    assert provider.asked == ["a", "b"]


@pytest.mark.parametrize(("attempts", "used", "asked"), [(2, 0, 2), (3, 2, 1), (1, 0, 1), (4, 4, 0)])
async def test_neither_a_fallback_nor_a_retry_begins_the_count_anew(
    provider: Scripted, clock: Clock, attempts: int, used: int, asked: int
) -> None:
    provider.scripts = {name: [DOWN] for name in "abc"}
    found = router(provider, clock, group("fast", A, fallback=["smart"]), group("smart", B, C))
    with pytest.raises(AttemptsExhausted) as ended:
        await found.complete(request(attempts=attempts), used)
    assert len(provider.asked) == asked
    assert ended.value.details["attempts"] == attempts
    assert not ended.value.retryable


async def test_what_every_provider_would_refuse_is_asked_of_one(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [ModelRefused("no such parameter")]}
    with pytest.raises(ModelRefused, match="no such parameter"):
        await router(provider, clock, group("fast", A, B)).complete(request())
    assert provider.asked == ["a"]


async def test_a_key_that_is_not_taken_takes_its_deployment_out_at_once(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [ModelMisconfigured("wrong key")]}
    found = router(provider, clock, group("fast", A, B))
    for _ in range(2):
        assert (await found.complete(request())).model == "openai/b"
    assert provider.asked == ["a", "b", "b"]


async def test_a_prompt_too_long_goes_to_who_reads_more(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [PromptTooLong("too long")]}
    found = router(provider, clock, group("fast", A, B, longer=["long"]), group("long", C))
    assert (await found.complete(request())).model == "openai/c"
    assert provider.asked == ["a", "c"]


async def test_a_prompt_known_to_be_too_long_is_not_sent_in_vain(provider: Scripted, clock: Clock) -> None:
    short, long = deployment("a", context_tokens=600), deployment("c", context_tokens=90_000)
    found = router(provider, clock, group("fast", short, longer=["long"]), group("long", long))
    assert (await found.complete(request(prompt=Text(digest=digest_of(b"p"), size=1000)))).model == "openai/c"
    assert (await found.complete(request(max_tokens=10))).model == "openai/a"


async def test_faults_in_a_row_open_the_circuit_and_one_call_probes_it(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN, DOWN, DOWN, DOWN, None]}
    found = router(provider, clock, group("fast", A, B))
    for _ in range(FAULTS):
        await found.complete(request())
    assert found.health(A).state == "open"
    provider.asked.clear()
    await found.complete(request())
    assert provider.asked == ["b"]

    clock.now += FIRST_PAUSE_SECONDS
    assert found.health(A).state == "half-open"
    await found.complete(request())
    assert found.health(A).state == "open", "the probe failed"
    assert found.health(A).pause_seconds == 2 * FIRST_PAUSE_SECONDS
    clock.now += 2 * FIRST_PAUSE_SECONDS
    provider.asked.clear()
    await found.complete(request())
    assert provider.asked == ["a"]
    assert found.health(A).state == "closed"


async def test_while_one_call_probes_the_others_go_elsewhere(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN] * FAULTS + [None]}
    found = router(provider, clock, group("fast", A, B))
    for _ in range(FAULTS):
        await found.complete(request())
    clock.now += FIRST_PAUSE_SECONDS
    seen = []
    provider.during = lambda name: seen.append(found.health(A).pause_seconds > 0) if name == "a" else None
    await found.complete(request())
    assert seen == [True]


async def test_a_provider_that_names_a_wait_is_left_alone_for_it(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [ModelUnavailable("busy", retry_after=7.0), None]}
    found = router(provider, clock, group("fast", A, B))
    await found.complete(request())
    assert found.health(A).pause_seconds == 7.0
    provider.asked.clear()
    await found.complete(request())
    clock.now += 7
    await found.complete(request())
    assert provider.asked == ["b", "a"]


async def test_who_is_alone_is_waited_for_and_never_taken_out(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN, DOWN, DOWN, DOWN, ModelUnavailable("busy", retry_after=5.0), None]}
    found = router(provider, clock, group("fast", A))
    for _ in range(5):
        with pytest.raises(ModelUnavailable):
            await found.complete(request())
    began = clock.now
    await found.complete(request())
    assert 5 <= clock.now - began < 6


async def test_a_wait_that_is_too_long_to_sit_out_is_told_to_the_workflow(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [ModelUnavailable("busy", retry_after=600.0)]}
    found = router(provider, clock, group("fast", A))
    for _ in range(2):
        with pytest.raises(ModelUnavailable) as refused:
            await found.complete(request())
    assert refused.value.details["retry_after"] == 600.0
    assert provider.asked == ["a"]


async def test_a_limit_of_requests_sends_the_rest_elsewhere(provider: Scripted, clock: Clock) -> None:
    found = router(provider, clock, group("fast", deployment("a", rpm=3), B, strategy=Strategy.ORDER))
    for _ in range(5):
        await found.complete(request())
    assert Counter(provider.asked) == {"a": 3, "b": 2}


async def test_a_limit_of_tokens_counts_prompt_and_longest_answer(provider: Scripted, clock: Clock) -> None:
    found = router(provider, clock, group("fast", deployment("a", tpm=1000), B, strategy=Strategy.ORDER))
    for _ in range(3):
        await found.complete(request(max_tokens=498))
    assert Counter(provider.asked) == {"a": 2, "b": 1}


async def test_weights_share_out_the_calls(provider: Scripted, clock: Clock) -> None:
    three = deployment("a", weight=3)
    found = router(provider, clock, group("fast", three, B, strategy=Strategy.WEIGHTED))
    for _ in range(400):
        await found.complete(request())
    assert 260 < Counter(provider.asked)["a"] < 340


async def test_the_cheapest_is_asked_first(provider: Scripted, clock: Clock) -> None:
    provider.prices = {"a": 0.3, "b": 0.1, "c": 0.2}
    found = router(provider, clock, group("fast", A, B, C, strategy=Strategy.COST))
    provider.scripts = {"b": [DOWN]}
    await found.complete(request())
    assert provider.asked == ["b", "c"]
    assert await found.most_usd(request()) == 0.3


async def test_the_quickest_is_asked_once_each_was_tried(provider: Scripted, clock: Clock) -> None:
    def takes(name: str) -> None:
        clock.now += {"a": 3.0, "b": 1.0}[name]

    provider.during = takes
    found = router(provider, clock, group("fast", A, B, strategy=Strategy.LATENCY))
    for _ in range(5):
        await found.complete(request())
    assert Counter(provider.asked) == {"a": 1, "b": 4}


async def test_the_least_busy_is_asked(provider: Scripted, clock: Clock) -> None:
    found = router(provider, clock, group("fast", A, B, strategy=Strategy.LEAST_BUSY))
    await found.health(A).begin(1)
    for _ in range(3):
        await found.complete(request())
    assert provider.asked == ["b", "b", "b"]


async def test_an_alias_is_another_name_of_a_group(provider: Scripted, clock: Clock) -> None:
    assert (await router(provider, clock, group("fast", A)).complete(request(group="quick"))).model == "openai/a"


async def test_what_becomes_of_a_circuit_is_kept_once_with_its_reason(provider: Scripted, clock: Clock) -> None:
    provider.scripts = {"a": [DOWN] * (FAULTS + 1) + [None]}
    found = router(provider, clock, group("fast", A, B))
    for _ in range(FAULTS):
        await found.complete(request())
    for pause in (FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS):
        clock.now += pause
        await found.complete(request())
    told = [(one.deployment, one.change, one.seconds, one.reason) for one in provider.changes]
    assert told == [
        ("a", Change.OPENED, FIRST_PAUSE_SECONDS, f"{FAULTS} faults in a row"),
        ("a", Change.PROBED, None, ""),
        ("a", Change.OPENED, 2 * FIRST_PAUSE_SECONDS, "the probe failed"),
        ("a", Change.PROBED, None, ""),
        ("a", Change.CLOSED, None, "it answered"),
    ]


async def test_calls_that_are_turned_away_together_open_a_circuit_once(provider: Scripted, clock: Clock) -> None:
    busy = ModelUnavailable("429", retry_after=20.0)
    provider.scripts = {"a": [busy]}
    found = router(provider, clock, group("fast", A, B))
    provider.during = lambda _name: setattr(clock, "now", clock.now + 0.1)
    await asyncio.gather(
        *(found._asked(A, request(), None, None, 1, alone=False) for _ in range(4)), return_exceptions=True
    )
    assert [one.reason for one in provider.changes] == ["the provider asked for it"]
    assert len(provider.failures) == 4


async def test_a_circuit_that_cannot_be_kept_keeps_no_answer_back(
    provider: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(_change: CircuitChange) -> None:
        raise RecordsUnavailable("the disk is full")

    monkeypatch.setattr(provider, "changed", refuses)
    provider.scripts = {"a": [ModelMisconfigured("no such key"), None]}
    found = router(provider, clock, group("fast", A, B))
    assert (await found.complete(request())).model == "openai/b"
    assert found.health(A).state == "open"


async def test_a_replaced_key_is_used_at_once_also_where_the_old_one_was_why_nobody_was_asked(
    provider: Scripted, clock: Clock
) -> None:
    old, new = deployment("a", api_key="old"), deployment("a", api_key="new")
    found = router(provider, clock, group("fast", old, B), group("spare", C))
    found.health(C).under_way = 1
    found.health(old).failed(at_once=True)
    assert found.health(old).state == "open"
    await found.use(ModelGroups(groups=(group("fast", new, B), group("spare", C)), default="fast"))
    assert (found.health(new).state, found.health(C).under_way) == ("closed", 1)
    assert found.groups.find("fast").deployments[0].api_key == new.api_key
    assert [(one.deployment, one.change) for one in provider.changes] == [("a", Change.CLOSED)]


HOUSE = deployment("house", api_base="http://gpu.internal/v1", local=True)


@pytest.mark.parametrize(
    ("asked", "who"),
    [
        ("fast", ["house"]),  # a member of the group, whatever the strategy prefers
        ("quick", ["house"]),  # an alias
        ("auto", ["house"]),  # the default group
        ("remote", ["house"]),  # a fallback
        ("short", ["house"]),  # where prompts go that are too long
    ],
)
async def test_data_of_the_house_goes_to_local_models_whoever_stands_in_for_whom(
    provider: Scripted, clock: Clock, asked: str, who: list[str]
) -> None:
    provider.scripts = {"house": [DOWN]}
    found = router(
        provider,
        clock,
        group("fast", A, HOUSE, B),
        group("remote", A, fallback=["fast"]),
        group("short", C, longer=["fast"]),
    )
    with pytest.raises(ModelUnavailable):
        await found.complete(request(group=asked, local_only=True))
    assert provider.asked == who


async def test_where_no_local_model_may_answer_nothing_is_asked(provider: Scripted, clock: Clock) -> None:
    found = router(provider, clock, group("fast", A, fallback=["smart"], longer=["smart"]), group("smart", B))
    for asking in (found.complete, found.most_usd):
        with pytest.raises(NoLocalModel, match="no local model may answer for 'fast'") as refused:
            await asking(request(group="fast", local_only=True))
        assert not refused.value.retryable
    assert provider.asked == []


def test_what_may_not_leave_is_another_request_and_all_others_are_as_they_were() -> None:
    assert request(local_only=True).digest != request().digest
    assert request().digest == "sha256:4671d6f2b5bd5d31a4d122a96093d3f129cf52bd02b44790eabcad6919772972"


async def test_a_deployment_whose_budget_is_spent_is_taken_out_and_probed_when_the_day_turns(
    provider: Scripted, clock: Clock
) -> None:
    provider.prices = {"a": 0.4, "b": 0.1}
    dear = deployment("a", budget_usd_per_day=1)
    found = router(provider, clock, group("fast", dear, B))
    answers = [await found.complete(request()) for _ in range(4)]
    assert [one.model for one in answers] == ["openai/a", "openai/a", "openai/b", "openai/b"]
    assert answers[2].attempt == 1, "nothing was sent to the one whose budget is spent"
    assert (found.health(dear).state, found.health(dear).spent) == ("open", True)
    assert [one.reason for one in provider.changes] == ["its budget of the day is spent"]

    clock.now += provider.allowances.renews_in
    provider.allowances.spent.clear()
    assert found.health(dear).state == "half-open"
    assert (await found.complete(request())).model == "openai/a"
    assert found.health(dear).state == "closed"


async def test_a_row_that_nobody_else_can_answer_is_told_how_long_the_budget_lasts(
    provider: Scripted, clock: Clock
) -> None:
    provider.prices = {"a": 2.0}
    found = router(provider, clock, group("fast", deployment("a", budget_usd_per_day=1)))
    with pytest.raises(ModelUnavailable, match="too little is left of the day's budget of openai/a") as refused:
        await found.complete(request())
    assert refused.value.details["retry_after"] == 3600.0
    assert provider.asked == []
