"""What tokens cost: litellm's bundled table, and what an installation says itself. Nothing is fetched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.llm.contracts import InvalidPrices
from activities.llm.groups import Deployment
from activities.yaml_document import load_document
from activities.yaml_fields import Amount

_MILLION: Final = 1_000_000
# Some models cost more a token in very long prompts; an ordinary one is meant.
_SAMPLE: Final = 1_000
# English text has about four characters a token, other scripts and code fewer; who is wrong errs to the dear side.
CHARACTERS_PER_TOKEN: Final = 2


class Price(BaseModel):
    """What a million tokens of a model cost, in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Amount
    output: Amount

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what a call costs."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / _MILLION


def price_of(into: float, out: float) -> Price:
    """Return a price that was reckoned, to a millionth of a dollar."""
    return Price(input=round(into, 6), output=round(out, 6))


class PriceTable(BaseModel):
    """Prices by model, as ``provider/model``; they go before the bundled ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd_per_million_tokens: Mapping[str, Price] = Field(default_factory=dict)


class Prices:
    """Says what a call costs.

    Args:
        own: What the installation says itself.
    """

    def __init__(self, own: PriceTable | None = None) -> None:
        self._own = own.usd_per_million_tokens if own else {}

    def price(self, litellm: Any, deployment: Deployment) -> Price | None:  # noqa: ANN401 -- a module
        """Return what a million tokens cost; ``None`` where no table knows, so that calls count as free."""
        if deployment.embedded:
            return Price(input=0, output=0)
        if own := self._own.get(deployment.name):
            return own
        if deployment.api_base:
            return None
        try:
            costs = litellm.cost_per_token(model=deployment.model, prompt_tokens=_SAMPLE, completion_tokens=_SAMPLE)
        except Exception:  # noqa: BLE001 -- litellm raises Exception itself for a model without a price
            return None
        into, out = (max(float(cost), 0.0) * _MILLION / _SAMPLE for cost in costs)
        return price_of(into, out)

    def most_usd(self, litellm: Any, deployment: Deployment, prompt: str, max_tokens: int) -> float:  # noqa: ANN401
        """Return the most that a call can cost: a short token count, and an answer as long as it may be."""
        prompt_tokens = len(prompt) // CHARACTERS_PER_TOKEN + 1
        known = self._known(deployment, prompt_tokens, max_tokens)
        if known is not None:
            return known
        try:
            costs = litellm.cost_per_token(
                model=deployment.model, prompt_tokens=prompt_tokens, completion_tokens=max_tokens
            )
        except Exception:  # noqa: BLE001 -- litellm raises Exception itself for a model without a price
            return 0.0
        return max(float(sum(costs)), 0.0)

    def paid_usd(self, deployment: Deployment, response: Any, prompt_tokens: int, completion_tokens: int) -> float:  # noqa: ANN401
        """Return what an answered call cost; 0 where no table knows, or where the endpoint is the installation's."""
        known = self._known(deployment, prompt_tokens, completion_tokens)
        if known is not None:
            return known
        price = getattr(response, "_hidden_params", {}).get("response_cost")
        return max(float(price), 0.0) if price else 0.0

    def _known(self, deployment: Deployment, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what the installation knows by itself of a call's price; ``None`` where the bundled table counts."""
        if deployment.embedded:
            return 0.0
        if own := self._own.get(deployment.name):
            return own.of(prompt_tokens, completion_tokens)
        return 0.0 if deployment.api_base else None


def load_prices(path: Path | None) -> Prices:
    """Return the prices of an installation; without a file the bundled ones.

    Raises:
        InvalidPrices: The file cannot be read, is not YAML, or does not say what prices say; every fault is told.
    """
    if path is None:
        return Prices()
    return Prices(load_document(path, PriceTable, InvalidPrices))
