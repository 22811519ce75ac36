"""What becomes of a call, for each vendor and each fault: who stands in the table, and how it is written."""

from dataclasses import dataclass
from typing import Final

from activities.llm.contracts import ModelAnswer
from temporal.errors import PrismError
from temporal.names import ErrorCode

# As litellm spells them: each speaks a protocol of its own, or a dialect of OpenAI's.
VENDORS: Final = {
    "OpenAI chat": "openai",
    "OpenAI responses": "openai/responses",
    "Anthropic": "anthropic",
    "Mistral": "mistral",
}
# As the vendor does them, and as people call them.
FAULTS: Final = {
    "ok": "none",
    "slow": "slow but within `timeout`",
    "hang": "hangs",
    "drip": "drips without end",
    "429": "429",
    "500": "500",
    "503": "503",
    "529": "529",
    "400": "400",
    "401": "401",
    "404": "404",
    "307": "redirect",
    "malformed": "malformed JSON",
    "html": "HTML for JSON",
    "cut": "a body that is cut off",
    "reset": "connection reset",
    "empty": "an empty answer",
}
# Ten tokens in and five out.
IN_USD, OUT_USD = 100, 200


@dataclass(frozen=True)
class Outcome:
    """How one call ended.

    Args:
        ended: The answer, or why there is none.
        requests: How many requests the vendor got.
    """

    ended: ModelAnswer | PrismError
    requests: int

    def __str__(self) -> str:
        cost = self.ended.cost_usd if isinstance(self.ended, ModelAnswer) else 0.0
        return f"{self._word}, {self.requests}, ${cost:g}"

    @property
    def _word(self) -> str:
        if isinstance(self.ended, ModelAnswer):
            return "answered" if self.ended.output.size else "empty"
        if self.ended.retryable:
            return "again"
        return "refused" if self.ended.code is ErrorCode.MODEL_REFUSED else self.ended.code.value


def group(vendor: str, fault: str) -> str:
    """Return the group of one model alone, so that no circuit is open because of another one."""
    return f"{vendor.lower().replace(' ', '-')}-{fault}"


def asked(vendor: str, fault: str) -> str:
    """Return the name that the vendor knows a model by; it says what the vendor is to do."""
    return f"{vendor.lower().replace(' ', '-')}-fault-{fault}"


def model(vendor: str, fault: str) -> str:
    """Return the model as litellm spells it."""
    return f"{VENDORS[vendor]}/{asked(vendor, fault)}"


def table(outcomes: dict[tuple[str, str], Outcome]) -> str:
    """Return the table in Markdown; faults that end alike with each vendor share a line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for fault, told in FAULTS.items():
        alike.setdefault(tuple(str(outcomes[vendor, fault]) for vendor in VENDORS), []).append(told)
    lines = [f"| fault | {' | '.join(VENDORS)} |", "|---" * (len(VENDORS) + 1) + "|"]
    lines += [f"| {', '.join(faults)} | {' | '.join(cells)} |" for cells, faults in alike.items()]
    return "\n".join(lines)
