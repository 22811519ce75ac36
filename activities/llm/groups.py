"""Model groups: which names a row may ask for, and which provider answers each."""

from collections.abc import Mapping
from typing import Final

from pydantic import Field, PositiveInt, SecretStr

from activities.llm.contracts import UnknownModel
from temporal.contract import Contract

LOCAL: Final = "local"
# Some seconds of a small machine; the model has no more to say anyway.
LOCAL_MAX_TOKENS: Final = 256
CUSTOM: Final = "custom"

# Provider as litellm spells it: the variable that holds its key, and the model its group asks by default.
PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "openai": ("OPENAI_API_KEY", "gpt-4o-mini"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-3-5-haiku-latest"),
    "mistral": ("MISTRAL_API_KEY", "mistral-small-latest"),
    "xai": ("XAI_API_KEY", "grok-3-mini"),
    "dashscope": ("DASHSCOPE_API_KEY", "qwen-plus"),
}


class Deployment(Contract):
    """A model somewhere.

    Args:
        model: ``provider/model`` as litellm spells it.
        api_base: URL of an OpenAI-compatible endpoint; ``None`` for the provider's own.
        local: Costs nothing and sends nothing to others.
        max_tokens: Longest answer it is asked for, whatever a row wants; ``None`` for no bound of its own.
    """

    group: str
    model: str
    api_base: str | None = None
    api_key: SecretStr | None = None
    local: bool = False
    max_tokens: PositiveInt | None = None

    @property
    def name(self) -> str:
        """What people call it; litellm's spelling tells the protocol of a local model, not whose it is."""
        return f"local/{self.model.partition('/')[2]}" if self.local else self.model


class ModelGroups(Contract):
    """All groups of an installation.

    Args:
        default: Group of rows that name no model.
        keys: Provider keys, by provider, for rows that name ``provider/model``.
    """

    deployments: tuple[Deployment, ...]
    default: str
    keys: dict[str, SecretStr] = Field(default_factory=dict)

    def find(self, name: str) -> Deployment:
        """Return the deployment for a row's ``model``.

        Args:
            name: A group, ``provider/model`` of a provider whose key is set, or empty for the default group.

        Raises:
            UnknownModel: It is neither.
        """
        wanted = name or self.default
        for deployment in self.deployments:
            if deployment.group == wanted:
                return deployment
        provider, _, model = wanted.partition("/")
        if model and provider in self.keys:
            return Deployment(group=wanted, model=wanted, api_key=self.keys[provider])
        known = ", ".join(deployment.group for deployment in self.deployments)
        raise UnknownModel(
            f"no model group is called {wanted!r}; there are {known}, "
            "and provider/model where the provider's key is set",
            model=wanted,
        )


def discover_groups(
    environment: Mapping[str, str],
    *,
    model_url: str = "",
    model_name: str = "",
    model_key: SecretStr | None = None,
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
        default: Group of rows that name no model, overriding the order above.
    """
    deployments = []
    if model_url:
        key = model_key or SecretStr("none")
        model = f"openai/{model_name or 'default'}"
        deployments.append(Deployment(group=CUSTOM, model=model, api_base=model_url, api_key=key))
    keys = {name: SecretStr(environment[key]) for name, (key, _) in PROVIDERS.items() if environment.get(key)}
    deployments += [
        Deployment(group=name, model=f"{name}/{PROVIDERS[name][1]}", api_key=key) for name, key in keys.items()
    ]
    deployments.append(
        Deployment(group=LOCAL, model="openai/SmolLM2-135M-Instruct", local=True, max_tokens=LOCAL_MAX_TOKENS)
    )
    return ModelGroups(deployments=tuple(deployments), default=default or deployments[0].group, keys=keys)
