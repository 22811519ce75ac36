"""What calls of model groups cost, for whoever estimates a catalog; only the gateway knows deployments and prices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import httpx
from pydantic import Field, PositiveInt, ValidationError

from activities.llm.contracts import ModelUnavailable, UnknownModel
from activities.llm.gateway_asking import gateway_on
from activities.llm.groups import AUTO, Deployment, ModelGroup, ModelGroups, Strategy
from activities.llm.prices import Price, price_of
from temporal.contract import Contract

PATH: Final = "/v1/prices"
# Reading a table takes milliseconds; right after a start the gateway has to import litellm first. Asking is harmless
# and not repeated: an estimate that is missing keeps nobody from starting a run.
ANSWER_WITHIN_SECONDS: Final = 20.0
_FREE: Final = Price(input=0, output=0)


class GroupPrice(Contract):
    """What a million tokens of a group cost.

    Args:
        group: As it was asked for.
        model: Deployment that answers when all are well; the likeliest where several may.
        unpriced: Deployments that may answer and have no price; they count as free.
        usual: The price to expect.
        dearest: The dearest of all deployments that may answer, those of fallbacks too.
        longest: Most tokens of an answer, where the likeliest deployment bounds them.
        reads: Most tokens of a prompt, where that is known of all deployments that may answer.
    """

    group: str
    model: str
    local: bool = False
    unpriced: tuple[str, ...] = ()
    usual: Price = _FREE
    dearest: Price = _FREE
    longest: PositiveInt | None = None
    reads: PositiveInt | None = None


class PriceList(Contract):
    """Prices of groups; ``unknown`` says why others have none: there is no such group."""

    prices: tuple[GroupPrice, ...]
    unknown: dict[str, str] = Field(default_factory=dict)


class Priced(Protocol):
    """Knows what deployments cost."""

    async def price(self, deployment: Deployment) -> Price | None:
        """Return what a million tokens cost; ``None`` where nobody knows."""
        ...


async def price_list(groups: ModelGroups, priced: Priced, names: Sequence[str]) -> PriceList:
    """Return what calls of groups cost.

    Args:
        groups: What there is.
        priced: What each deployment costs.
        names: Groups as rows name them.
    """
    found, unknown = [], {}
    for name in names:
        try:
            chain = _chain(groups, name)
        except UnknownModel as error:
            unknown[name] = error.message
        else:
            found.append(await _of_group(name, chain, priced))
    return PriceList(prices=tuple(found), unknown=unknown)


def _chain(groups: ModelGroups, name: str) -> list[ModelGroup]:
    """Return who may answer; for rows whose model is chosen any tier, those outside first: local ones cost less."""
    if groups.routing is None or name not in {"", AUTO}:
        return groups.chain(name)
    tiers = sorted(groups.routing.tiers, key=lambda tier: groups.find(tier).local)
    found = {group.name: group for tier in tiers for group in groups.chain(tier)}
    return list(found.values())


async def _of_group(name: str, chain: Sequence[ModelGroup], priced: Priced) -> GroupPrice:
    everybody = [(one, await priced.price(one)) for group in chain for one in group.deployments]
    prices = [price or _FREE for _, price in everybody]
    own = len(chain[0].deployments)
    likeliest = _likeliest(chain[0], prices[:own])
    weights = [one.weight for one in chain[0].deployments]
    weighted = chain[0].strategy is Strategy.WEIGHTED
    first = chain[0].deployments[likeliest]
    read = [one.context_tokens for one, _ in everybody]
    return GroupPrice(
        group=name,
        model=first.name,
        local=first.local,
        unpriced=tuple(one.name for one, price in everybody if price is None),
        usual=_mean(prices[:own], weights) if weighted else prices[likeliest],
        dearest=Price(input=max(one.input for one in prices), output=max(one.output for one in prices)),
        longest=first.max_tokens,
        # A longer prompt may go to others still.
        reads=None if None in read or chain[0].longer else max(one for one in read if one is not None),
    )


def _likeliest(group: ModelGroup, prices: Sequence[Price]) -> int:
    weights = [one.weight for one in group.deployments]
    match group.strategy:
        case Strategy.COST:
            return min(range(len(prices)), key=lambda place: prices[place].input + prices[place].output)
        case Strategy.WEIGHTED | Strategy.LEAST_BUSY:
            return weights.index(max(weights))
        case _:
            return 0


def _mean(prices: Sequence[Price], weights: Sequence[int]) -> Price:
    pairs, total = list(zip(prices, weights, strict=True)), sum(weights)
    return price_of(
        sum(price.input * weight for price, weight in pairs) / total,
        sum(price.output * weight for price, weight in pairs) / total,
    )


async def ask_prices(socket: Path, names: Sequence[str]) -> PriceList:
    """Ask the gateway on this machine.

    Args:
        socket: The gateway's Unix socket.
        names: Groups as rows name them.

    Raises:
        ModelUnavailable: It does not answer.
    """
    try:
        async with gateway_on(socket, ANSWER_WITHIN_SECONDS) as client:
            response = await client.post(PATH, json={"groups": list(names)})
            response.raise_for_status()
            return PriceList.model_validate_json(response.content)
    except (httpx.HTTPError, ValidationError) as error:
        raise ModelUnavailable(f"the model gateway does not tell its prices: {type(error).__name__}") from error
