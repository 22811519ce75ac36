"""Who writes a row: a table of what is known of it, and who is chosen why."""

from typing import Any

import pytest

from activities.llm.contracts import NoLocalModel, UnknownModel
from activities.llm.groups import Deployment, ModelGroup, ModelGroups, RoutingRules
from activities.routing.choice import Open, choose, settled, suitability
from activities.routing.contracts import Route, RouteRequest
from activities.routing.share import Course
from temporal.contract import StepRef


def group(name: str, *, local: bool = False, context: int | None = None, **changes: Any) -> ModelGroup:
    url = "http://gpu.internal/v1" if local else None
    only = Deployment(group=name, model=f"openai/{name}", api_base=url, local=local, context_tokens=context)
    return ModelGroup(name=name, deployments=(only,), **changes)


GROUPS = ModelGroups(
    groups=(
        group("house", local=True, context=2000),
        group("cheap", context=20_000),
        group("best", fallback=("house",)),
        group("aside"),
    ),
    default="cheap",
    aliases={"quick": "cheap"},
    routing=RoutingRules(tiers=("house", "cheap", "best")),
)
LONG, LONGER = 6000, 60_000
EITHER = "either"
ALL, OUTSIDE, LAST = ("house", "cheap", "best"), ("cheap", "best"), ("best",)


def asked(**known: Any) -> RouteRequest:
    return RouteRequest(step=StepRef(run="r", row="a", step="route"), **known)


TABLE: list[tuple[dict[str, Any], float | None, tuple[str, ...], str]] = [
    ({}, None, ALL, EITHER),
    ({"model": "auto", "risk": "medium"}, 0.9, ALL, EITHER),
    ({"model": "aside"}, None, ("aside",), "the row names it"),
    ({"model": "quick", "risk": "critical"}, None, ("quick", "best"), "the row names it"),
    ({"model": "house"}, 0.01, ALL, "the row names it"),
    ({"model": "house", "local_only": True}, None, ("house", "best"), "the row names it"),
    ({"risk": "high"}, 0.01, LAST, "risk is high"),
    ({"risk": "critical"}, None, LAST, "risk is critical"),
    ({"risk": "high", "local_only": True}, None, LAST, "risk is high; its data stays in the house"),
    ({"local_only": True}, None, ("house", "best"), "the first tier; its data stays in the house"),
    ({"refused": True}, None, LAST, "its answers were refused before"),
    ({}, 0.15, ALL, "15% of the budget is left"),
    ({"prompt_bytes": LONG}, None, OUTSIDE, "the first that reads 3512 tokens"),
    ({"prompt_bytes": LONGER}, None, LAST, "the first that reads 30512 tokens"),
]


@pytest.mark.parametrize(("known", "left", "groups", "why"), TABLE)
def test_the_table_of_choices(known: dict[str, Any], left: float | None, groups: tuple[str, ...], why: str) -> None:
    found = choose(GROUPS, asked(**known), left)
    if isinstance(found, Open):
        assert (found.local, found.other, why) == (groups, OUTSIDE, EITHER)
    else:
        assert (found.groups, found.reason) == (groups, why)
        assert found.local is (groups[0] == "house" or bool(known.get("local_only")))


@pytest.mark.parametrize("model", ["cheap", "aside", "quick"])
def test_data_of_the_house_is_given_to_no_group_outside(model: str) -> None:
    with pytest.raises(NoLocalModel):
        choose(GROUPS, asked(model=model, local_only=True))


def test_without_a_local_tier_data_of_the_house_is_refused_and_all_else_begins_with_the_first() -> None:
    outside = GROUPS.model_copy(update={"routing": RoutingRules(tiers=("cheap", "aside"))})
    with pytest.raises(NoLocalModel):
        choose(outside, asked(local_only=True))
    found = choose(outside, asked())
    assert isinstance(found, Route)
    assert (found.groups, found.reason) == (("cheap", "aside"), "the first tier")


def test_a_group_that_nobody_configured_is_told() -> None:
    with pytest.raises(UnknownModel):
        choose(GROUPS, asked(model="gone"))


def test_a_local_model_suits_what_is_harmless_short_and_proven_by_code() -> None:
    proven, judged = {"criteria": ("max_words:50", "contains:EUR")}, {"criteria": ("is friendly",)}
    worse = [
        asked(**proven),
        asked(**proven, calls=3),
        asked(**proven, prompt_bytes=4000),
        asked(**proven, risk="medium"),
        asked(),
        asked(**judged),
        asked(**judged, risk="medium", prompt_bytes=4000, runs_code=True),
    ]
    suits = [suitability(one) for one in worse]
    assert suits[0] == 1.0
    assert suits[-1] == min(suits)
    assert suits[4] > suits[5], "no criterion is better than one that code cannot decide"
    assert all(suits[0] > one for one in suits[1:])


def test_the_reason_says_where_the_share_stands() -> None:
    course = Course(0.4, local=3, total=10, rows=100, chosen=10, open_rows=100, open_chosen=10, weight=1)
    route = settled(Open(local=ALL, other=OUTSIDE, suits=0.9), course)
    assert (route.groups, route.local) == (ALL, True)
    assert route.reason == "suits a local model by 0.90; local share 30% so far, target 40%"
