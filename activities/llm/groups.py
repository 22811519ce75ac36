"""Model groups: which names a row may ask for, and which provider answers each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from activities.llm.contracts import UnknownModel
from activities.llm.embedded_server import CONTEXT_TOKENS, PARALLEL
from catalogs.row import Risk
from temporal.contract import Contract

LOCAL: Final = "local"
# A row that names no model may say so in a word.
AUTO: Final = "auto"
# Some seconds of a small machine; the model has no more to say anyway.
LOCAL_MAX_TOKENS: Final = 256
LOCAL_CONTEXT_TOKENS: Final = CONTEXT_TOKENS // PARALLEL
CUSTOM: Final = "custom"
DEFAULT_LOCAL_SHARE: Final = 0.4

# Provider as litellm spells it: the variable that holds its key, and the model its group asks by default.
PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "openai": ("OPENAI_API_KEY", "gpt-4o-mini"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-haiku-5-5"),
    "mistral": ("MISTRAL_API_KEY", "mistral-small-latest"),
    "xai": ("XAI_API_KEY", "grok-4.20"),
    "dashscope": ("DASHSCOPE_API_KEY", "qwen-plus"),
}


class Strategy(StrEnum):
    """How a group chooses among its deployments."""

    WEIGHTED = "weighted"
    LEAST_BUSY = "least-busy"
    LATENCY = "latency"
    COST = "cost"
    ORDER = "order"


class Counted(StrEnum):
    """What the local share is a share of."""

    CALLS = "calls"
    TOKENS = "tokens"


class Deployment(Contract):
    """A model somewhere.

    Args:
        group: What people call it.
        model: ``provider/model`` as litellm spells it.
        api_base: URL of an OpenAI-compatible endpoint; ``None`` for the provider's own.
        local: Sends nothing to others: the embedded model, or an endpoint of the house that somebody declared so.
        max_tokens: Longest answer it is asked for, whatever a row wants; ``None`` for no bound of its own.
        weight: How often it is chosen in a weighted group, against the others.
        concurrency: Most requests at a time; ``None`` for no limit.
        rpm: Most requests in any minute; ``None`` for no limit.
        tpm: Most tokens in any minute, prompt and longest answer together.
        json_schema: Whether it takes the schema of an answer as a part of the request; ``None`` asks the bundled table.
        context_tokens: How much it reads; a longer prompt goes to one that reads more. ``None`` when nobody said.
        budget_usd_per_day: Most that its calls of one day may cost; then it is left alone until the next.
    """

    group: str
    model: str
    api_base: str | None = None
    api_key: SecretStr | None = None
    local: bool = False
    max_tokens: PositiveInt | None = None
    weight: PositiveInt = 1
    concurrency: PositiveInt | None = None
    rpm: PositiveInt | None = None
    tpm: PositiveInt | None = None
    context_tokens: PositiveInt | None = None
    json_schema: bool | None = None
    budget_usd_per_day: PositiveFloat | None = None

    @property
    def embedded(self) -> bool:
        """Whether it is the embedded model: it costs nothing, and its process is ours."""
        return self.local and self.api_base is None

    @property
    def name(self) -> str:
        """What people call it; litellm's spelling tells the protocol of the embedded model, not whose it is."""
        return f"local/{self.model.partition('/')[2]}" if self.embedded else self.model


LOCAL_DEPLOYMENT: Final = Deployment(
    group=LOCAL,
    model="openai/SmolLM2-135M-Instruct",
    local=True,
    max_tokens=LOCAL_MAX_TOKENS,
    context_tokens=LOCAL_CONTEXT_TOKENS,
    json_schema=True,
)


class ModelGroup(Contract):
    """Deployments that may answer for each other.

    Args:
        strategy: Which of them is asked first.
        fallback: Groups that are asked when none of these can answer, in order.
        longer: Groups that are asked when a prompt is too long for these.
    """

    name: str
    deployments: tuple[Deployment, ...]
    strategy: Strategy = Strategy.ORDER
    fallback: tuple[str, ...] = ()
    longer: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        """Whether nothing that it is asked is sent to others."""
        return all(one.local for one in self.deployments)


class RoutingRules(Contract):
    """How the model of rows is chosen that name none.

    Args:
        tiers: Groups by what they can do, the least first; a draft that fails verification is written anew by the next.
        local_share: Share of calls or tokens that local tiers are to take.
        local_share_of: What is counted.
        best_for: Risks of rows that the last tier writes.
    """

    tiers: tuple[str, ...]
    local_share: float = DEFAULT_LOCAL_SHARE
    local_share_of: Counted = Counted.CALLS
    best_for: tuple[Risk, ...] = (Risk.HIGH, Risk.CRITICAL)


class ModelGroups(Contract):
    """All groups of an installation.

    Args:
        default: Group of rows that name no model.
        aliases: Other names of groups.
        keys: Provider keys, by provider, for rows that name ``provider/model``.
        routing: How rows that name no model find theirs; ``None`` gives them the default group.
    """

    groups: tuple[ModelGroup, ...]
    default: str
    aliases: dict[str, str] = Field(default_factory=dict)
    keys: dict[str, SecretStr] = Field(default_factory=dict)
    routing: RoutingRules | None = None

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """Every deployment, once."""
        return tuple({one.group: one for group in self.groups for one in group.deployments}.values())

    def find(self, name: str) -> ModelGroup:
        """Return the group for a row's ``model``.

        Args:
            name: A group, its alias, ``provider/model`` of a provider whose key is set; empty or ``auto`` for the
                default group.

        Raises:
            UnknownModel: It is none of them.
        """
        wanted = self.default if name in {"", AUTO} else name
        wanted = self.aliases.get(wanted, wanted)
        for group in self.groups:
            if group.name == wanted:
                return group
        provider, _, model = wanted.partition("/")
        if model and provider in self.keys:
            return alone(Deployment(group=wanted, model=wanted, api_key=self.keys[provider]))
        known = ", ".join([group.name for group in self.groups] + sorted(self.aliases))
        raise UnknownModel(
            f"no model group is called {wanted!r}; there are {known}, "
            "and provider/model where the provider's key is set",
            model=wanted,
        )

    def chain(self, name: str, *, longer: bool = False) -> list[ModelGroup]:
        """Return the groups that may answer for a row's ``model``, in order and each once.

        Args:
            name: See ``find``.
            longer: The prompt was too long for the group itself: those that read more.
        """
        first = self.find(name)
        waiting = [self.find(one) for one in first.longer] if longer else [first]
        found: list[ModelGroup] = []
        while waiting:
            group = waiting.pop(0)
            if group not in found:
                found.append(group)
                waiting += [self.find(one) for one in group.fallback]
        return found

    def window(self, name: str) -> int | None:
        """Return how many tokens a row's ``model`` reads for sure; ``None`` where nobody said, or there is none such.

        Where longer prompts go to groups that read more, it is what those read.
        """
        try:
            first = self.find(name)
            read = [_least(self.find(one)) for one in first.longer] or [_least(first)]
        except UnknownModel:
            return None
        return None if None in read else max(one for one in read if one is not None)

    @property
    def routes(self) -> bool:
        """Whether the models of rows are chosen by the routing."""
        return self.routing is not None

    def serves_locally(self, name: str) -> bool:
        """Tell whether a local deployment may answer for a row's ``model``, its fallbacks included."""
        if self.routing is not None and name in {"", AUTO}:
            return any(self.serves_locally(tier) for tier in self.routing.tiers)
        try:
            return any(one.local for group in self.chain(name) for one in group.deployments)
        except UnknownModel:
            return False


def _least(group: ModelGroup) -> int | None:
    """Return what every deployment of a group reads, as far as it is said; ``None`` where it is said of none."""
    return min((one.context_tokens for one in group.deployments if one.context_tokens), default=None)


def alone(deployment: Deployment) -> ModelGroup:
    """Return the group of one deployment."""
    return ModelGroup(name=deployment.group, deployments=(deployment,))


def discover_groups(
    environment: Mapping[str, str],
    *,
    model_url: str = "",
    model_name: str = "",
    model_key: SecretStr | None = None,
    model_local: bool = False,
    default: str = "",
) -> ModelGroups:
    """Return the groups that an environment offers.

    The embedded model is always there. A provider is there when its key is set. An OpenAI-compatible URL becomes
    the default group, as somebody took the trouble to set it; after it the first provider; after that the
    embedded model.

    Args:
        environment: Where provider keys are looked up.
        model_url: An OpenAI-compatible endpoint (Ollama, vLLM, llama.cpp, …).
        model_name: The model to ask there.
        model_key: Its key, if it wants one.
        model_local: Whether it is of the house: what is sent there goes to nobody else.
        default: Group of rows that name no model, overriding the order above.
    """
    deployments = []
    if model_url:
        key = model_key or SecretStr("none")
        model = f"openai/{model_name or 'default'}"
        deployments.append(Deployment(group=CUSTOM, model=model, api_base=model_url, api_key=key, local=model_local))
    keys = {name: SecretStr(environment[key]) for name, (key, _) in PROVIDERS.items() if environment.get(key)}
    deployments += [
        Deployment(group=name, model=f"{name}/{PROVIDERS[name][1]}", api_key=key) for name, key in keys.items()
    ]
    deployments.append(LOCAL_DEPLOYMENT)
    groups = tuple(alone(deployment) for deployment in deployments)
    return ModelGroups(groups=groups, default=default or deployments[0].group, keys=keys)
