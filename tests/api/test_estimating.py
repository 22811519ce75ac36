"""An estimate from known prices: what calls come to, and where a budget would not last."""

import pytest

from activities.llm.contracts import SHOWN_RESULT_CHARS, UnknownModel
from activities.llm.groups import Deployment, ModelGroup, ModelGroups, Strategy
from activities.llm.price_list import GroupPrice, PriceList, price_list
from activities.llm.prices import Price
from activities.records.answer_lengths import AnswerLength
from api.estimating import reckoned
from catalogs.demand import Demand, Load
from workflows.contracts import RunOptions

OPTIONS = RunOptions(max_tokens=500)
DEAR = Price(input=10, output=100)
CHEAP = Price(input=1, output=2)
TEN = Load(calls=10, characters=4_000, quoted=2)


def prices(**changes: object) -> PriceList:
    return PriceList(prices=(GroupPrice(group="fast", model="openai/x", usual=CHEAP, dearest=DEAR, **changes),))  # type: ignore[arg-type]


def demand(**changes: object) -> Demand:
    return Demand.model_validate({"board": "b", "group": "fast", "rows": 10, "first": TEN, **changes})


def test_what_is_expected_goes_by_how_long_answers_were() -> None:
    found = reckoned([demand()], OPTIONS, prices(), {"fast": AnswerLength(answers=40, tokens=100)})
    assert (found.rows, found.calls, found.prompt_tokens, found.completion_tokens) == (10, 10, 1_200, 1_000)
    assert found.usd == pytest.approx((1_200 * 1 + 1_000 * 2) / 1e6)
    assert found.groups[0].answers_seen == 40


def test_without_answers_to_go_by_half_of_the_longest_is_expected() -> None:
    assert reckoned([demand()], OPTIONS, prices(), {}).completion_tokens == 10 * 250
    assert reckoned([demand()], OPTIONS, prices(longest=100), {}).completion_tokens == 10 * 50


def test_the_most_is_the_dearest_model_the_longest_answers_and_every_second_draft() -> None:
    once = reckoned([demand()], OPTIONS, prices(), {}).most_usd
    assert once == pytest.approx(((4_000 / 2 + 2 * 500) * 10 + 10 * 500 * 100) / 1e6)
    twice = reckoned([demand(second=TEN)], OPTIONS, prices(), {})
    assert (twice.most_usd, twice.groups[0].most_calls) == (pytest.approx(2 * once), 20)


def test_the_most_has_every_round_of_tools_with_all_that_they_may_print() -> None:
    options = OPTIONS.model_copy(update={"tool_rounds": 2, "tool_calls": 3})
    plain, tooled = demand(), demand(tooled=TEN)
    found, without = reckoned([tooled], options, prices(), {}), reckoned([plain], options, prices(), {})
    # Ten calls are followed by two each; the first quotes one answer more, the second two, and both all three results.
    prompt = 2 * (4_000 + 10 * 3 * SHOWN_RESULT_CHARS) / 2 + (2 * 2 + 10 * 3) * 500
    assert found.tools_usd == pytest.approx((prompt * 10 + 20 * 500 * 100) / 1e6)
    assert found.most_usd == pytest.approx(without.most_usd + found.tools_usd)
    assert (found.tool_calls, found.groups[0].most_calls) == (20, 30)
    assert (found.usd, found.calls) == (without.usd, without.calls), "none of it is expected"
    bounded = reckoned([tooled], options, prices(reads=1_000), {})
    assert bounded.tools_usd == pytest.approx((20 * 1_000 * 10 + 20 * 500 * 100) / 1e6), "nobody reads longer ones"


def test_a_judge_costs_what_its_group_costs() -> None:
    judge = GroupPrice(group="judge", model="openai/j", usual=DEAR, dearest=DEAR)
    listed = PriceList(prices=(*prices().prices, judge))
    asked = demand(judged=Load(calls=10, characters=100, quoted=10))
    options = OPTIONS.model_copy(update={"judge_group": "judge"})
    found = reckoned([asked], options, listed, {})
    assert [(one.group, one.rows, one.calls) for one in found.groups] == [("fast", 10, 10), ("judge", 0, 10)]
    assert reckoned([asked], OPTIONS, listed, {}).calls == 10


def test_a_group_that_is_not_there_is_told() -> None:
    found = reckoned([demand()], OPTIONS, PriceList(prices=(), unknown={"fast": "no group 'fast'"}), {})
    assert (found.unknown, found.rows, found.usd) == ({"fast": "no group 'fast'"}, 10, 0)


class Table:
    """Prices by deployment."""

    def __init__(self, **table: Price | None) -> None:
        self._table = table

    async def price(self, deployment: Deployment) -> Price | None:
        return self._table[deployment.group]


def group(strategy: Strategy = Strategy.ORDER) -> ModelGroups:
    dear = Deployment(group="dear", model="openai/dear", weight=1)
    cheap = Deployment(group="cheap", model="openai/cheap", weight=3, max_tokens=80)
    behind = ModelGroup(name="behind", deployments=(Deployment(group="last", model="openai/last"),))
    fast = ModelGroup(name="fast", deployments=(dear, cheap), strategy=strategy, fallback=("behind",))
    return ModelGroups(groups=(fast, behind), default="fast")


@pytest.mark.parametrize(
    ("strategy", "model", "output"),
    [
        (Strategy.ORDER, "openai/dear", 100),
        (Strategy.COST, "openai/cheap", 2),
        (Strategy.WEIGHTED, "openai/cheap", (100 + 3 * 2) / 4),
    ],
)
async def test_who_is_expected_to_answer_depends_on_the_strategy(strategy: Strategy, model: str, output: float) -> None:
    table = Table(dear=DEAR, cheap=CHEAP, last=Price(input=50, output=50))
    listed = await price_list(group(strategy), table, ["fast", "nobody"])
    (found,) = listed.prices
    assert (found.model, found.usual.output) == (model, pytest.approx(output))
    assert (found.dearest.input, found.dearest.output) == (50, 100)
    assert "nobody" in listed.unknown
    with pytest.raises(UnknownModel):
        group().find("nobody")


@pytest.mark.parametrize(("sizes", "reads"), [((100, 300, 200), 300), ((100, None, 200), None)])
async def test_how_much_is_read_is_known_where_all_who_may_answer_said_so(
    sizes: tuple[int | None, ...], reads: int | None
) -> None:
    places = zip(("dear", "cheap", "last"), sizes, strict=True)
    deployments = [Deployment(group=name, model=f"openai/{name}", context_tokens=size) for name, size in places]
    fast = ModelGroup(name="fast", deployments=tuple(deployments))
    listed = await price_list(
        ModelGroups(groups=(fast,), default="fast"), Table(dear=DEAR, cheap=DEAR, last=DEAR), [""]
    )
    assert listed.prices[0].reads == reads


async def test_a_model_without_a_price_is_told() -> None:
    (found,) = (await price_list(group(), Table(dear=DEAR, cheap=CHEAP, last=None), [""])).prices
    assert found.unpriced == ("openai/last",)
