"""What a catalog would cost: its demand, the gateway's prices, and how long answers have been of late."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from activities.budgets.contracts import OWN, BudgetView
from activities.budgets.rules import ANY_BOARD, share_of
from activities.llm.contracts import SHOWN_RESULT_CHARS
from activities.llm.price_list import GroupPrice, PriceList, ask_prices
from activities.llm.prices import CHARACTERS_PER_TOKEN, Price
from activities.records.answer_lengths import AnswerLength, answer_lengths
from api.estimate_models import Estimate, GroupEstimate, Shortage
from api.services import Services
from catalogs.demand import Demand, Load
from temporal.errors import PrismError
from workflows.contracts import RunOptions

log = logging.getLogger("prism.api")

# What English has; budgets set aside by the shorter token of ``CHARACTERS_PER_TOKEN``, and so does the upper bound.
_USUAL_CHARACTERS: Final = 4
_NO_RUN: Final = "new"
_THIS_RUN: Final = "this run"


@dataclass(frozen=True)
class _Bill:
    """What some calls come to."""

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    usd: float = 0.0

    def __add__(self, other: "_Bill") -> "_Bill":
        return _Bill(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
        )


@dataclass(frozen=True)
class _Rates:
    """How calls of a group become tokens and dollars."""

    price: GroupPrice
    seen: int
    usual_answer: float
    longest_answer: int

    def usual(self, load: Load) -> _Bill:
        return _bill(load, _USUAL_CHARACTERS, self.usual_answer, self.price.usual)

    def most(self, load: Load) -> _Bill:
        return _bill(load, CHARACTERS_PER_TOKEN, self.longest_answer, self.price.dearest)

    def most_after_tools(self, load: Load, options: RunOptions) -> _Bill:
        """Return the most of what is asked after calls of tools: prompts as long as tools make them, or as they may be.

        Args:
            load: Calls whose model may call tools.
            options: How often it may.
        """
        rounds, printed = options.tool_rounds, options.tool_calls * SHOWN_RESULT_CHARS
        answers = rounds * load.quoted + load.calls * rounds * (rounds + 1) // 2
        characters = rounds * (load.characters + load.calls * printed)
        more = Load(calls=rounds * load.calls, characters=characters, quoted=answers)
        return _bill(more, CHARACTERS_PER_TOKEN, self.longest_answer, self.price.dearest, self.price.reads)


def _bill(load: Load, characters_per_token: int, answer: float, price: Price, reads: int | None = None) -> _Bill:
    prompt = load.characters / characters_per_token + load.quoted * answer
    prompt = prompt if reads is None else min(prompt, load.calls * reads)
    written = load.calls * answer
    return _Bill(load.calls, prompt, written, (prompt * price.input + written * price.output) / 1_000_000)


async def estimate(
    services: Services, demands: Sequence[Demand], options: RunOptions, *, with_budgets: bool
) -> Estimate | None:
    """Return what a catalog would cost; ``None`` when the gateway or the records do not answer: nobody needs it to run.

    Args:
        services: What the routes work with.
        demands: What the catalog asks of models.
        options: How it would be run.
        with_budgets: Whether to tell which budgets have too little left; not everybody may see them.
    """
    groups = sorted({demand.group for demand in demands} | ({options.judge_group} - {""}))
    try:
        prices = await ask_prices(services.settings.socket, groups)
        # Of groups that are there only: what rows may name is without bound.
        lengths = await answer_lengths(services.stores.engine, [one.group for one in prices.prices])
        found = reckoned(demands, options, prices, lengths)
        unsaid = services.settings.cache == "on"
        found.cacheable = sum(one.caching + (one.unsaid if unsaid else 0) for one in demands)
        if with_budgets:
            found.shortages = await _shortages(services, demands, options, prices, lengths)
    except PrismError as error:
        log.warning("a catalog could not be estimated: %s", error.message)
        return None
    return found


def reckoned(
    demands: Iterable[Demand], options: RunOptions, prices: PriceList, lengths: dict[str, AnswerLength]
) -> Estimate:
    """Return what calls come to at known prices. Pure."""
    rates = {price.group: _rates(price, lengths.get(price.group), options) for price in prices.prices}
    found: dict[str, GroupEstimate] = {}
    for demand in demands:
        _count(found, rates, demand.group, demand.rows, demand.first, demand.second)
        if demand.tooled.calls and (rate := rates.get(demand.group)):
            _count_tools(found[demand.group], rate.most_after_tools(demand.tooled, options))
        if options.judge_group and demand.judged.calls:
            _count(found, rates, options.judge_group, 0, demand.judged, demand.judged)
    groups = [found[name] for name in sorted(found)]
    return Estimate(
        rows=sum(one.rows for one in groups),
        calls=sum(one.calls for one in groups),
        prompt_tokens=sum(one.prompt_tokens for one in groups),
        completion_tokens=sum(one.completion_tokens for one in groups),
        usd=sum(one.usd for one in groups),
        most_usd=sum(one.most_usd for one in groups),
        tools_usd=sum(one.tools_usd for one in groups),
        tool_calls=sum(one.tool_calls for one in groups),
        groups=groups,
        unknown=prices.unknown,
    )


def _rates(price: GroupPrice, length: AnswerLength | None, options: RunOptions) -> _Rates:
    longest = min(options.max_tokens, price.longest or options.max_tokens)
    usual = min(length.tokens, longest) if length else longest / 2
    return _Rates(price, length.answers if length else 0, usual, options.max_tokens)


def _count(
    found: dict[str, GroupEstimate], rates: dict[str, _Rates], group: str, rows: int, first: Load, second: Load
) -> None:
    rate = rates.get(group)
    known = found.setdefault(group, GroupEstimate(group=group))
    known.rows += rows
    if rate is None:
        return
    usual, most = rate.usual(first), rate.most(first) + rate.most(second)
    known.model, known.local, known.unpriced = rate.price.model, rate.price.local, list(rate.price.unpriced)
    known.answers_seen = rate.seen
    known.calls += usual.calls
    known.most_calls += most.calls
    known.prompt_tokens += round(usual.prompt_tokens)
    known.completion_tokens += round(usual.completion_tokens)
    known.usd += usual.usd
    known.most_usd += most.usd


def _count_tools(known: GroupEstimate, more: _Bill) -> None:
    known.tool_calls += more.calls
    known.most_calls += more.calls
    known.tools_usd += more.usd
    known.most_usd += more.usd


async def _shortages(
    services: Services,
    demands: Sequence[Demand],
    options: RunOptions,
    prices: PriceList,
    lengths: dict[str, AnswerLength],
) -> list[Shortage]:
    """Return the budgets that may not last for the catalog, of the present day and month."""
    views = {(view.budget, view.period): view for view in await services.budgets.budgets()}
    now = datetime.now(UTC)

    by_board: dict[str, list[Demand]] = {}
    for demand in demands:
        by_board.setdefault(demand.board, []).append(demand)
    everywhere = sorted(by_board)

    def priced(boards: Sequence[str]) -> Estimate:
        return reckoned((one for board in boards for one in by_board.get(board, ())), options, prices, lengths)

    found = []
    for budget in services.budget_rules.budgets:
        each = [[board] for board in everywhere] if budget.board == ANY_BOARD else [everywhere]
        for boards in each if budget.board in {"", ANY_BOARD} else [[budget.board]]:
            share = share_of(services.budget_rules, budget, _NO_RUN, boards[0], now)
            left = _left(views.get((budget.name, share.period)), budget.limit_usd)
            period = _THIS_RUN if budget.per == "run" else share.period
            found.append(_shortage(budget.name, period, left, priced(boards)))
    if options.budget_usd is not None:
        found.append(_shortage(OWN, _THIS_RUN, options.budget_usd, priced(everywhere)))
    return [one for one in found if one is not None]


def _left(view: BudgetView | None, limit: float) -> float:
    return limit if view is None else view.left_usd


def _shortage(budget: str, period: str, left: float, cost: Estimate) -> Shortage | None:
    if cost.most_usd <= left:
        return None
    return Shortage(
        budget=budget,
        period=period,
        left_usd=left,
        usd=cost.usd,
        most_usd=cost.most_usd,
        certain=cost.usd > left,
    )
