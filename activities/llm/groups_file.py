"""Reads models and their groups from YAML and tells every fault with its place; keys are referred to, never written."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, SecretStr

from activities.llm.contracts import InvalidModels
from activities.llm.groups import LOCAL_DEPLOYMENT, Deployment, ModelGroup, ModelGroups, Strategy
from activities.yaml_document import Fault, Place, load_document

KeyOf = Callable[[str, str], Awaitable[SecretStr | None]]


def _http(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be an address that begins with http:// or https://")
    return url.rstrip("/")


def _model(name: str) -> str:
    provider, _, model = name.partition("/")
    if not (provider and model):
        raise ValueError("must be provider/model, such as openai/gpt-4o-mini")
    return name


def _truth(value: object) -> bool:
    # Scalars of these files are texts: YAML's own reading of them would surprise.
    if value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value == "true"


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Names = tuple[Name, ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeploymentRule(_Part):
    """A deployment as people write it.

    Args:
        model: ``provider/model`` as litellm spells it.
        url: Address of an endpoint that is not the provider's own.
        key_env: Environment variable that holds the key.
        key_secret: Or where it is among the secrets, as ``secret://name#field``.
        json_schema: Whether it takes the schema of an answer; see ``Deployment``.
    """

    model: Annotated[str, AfterValidator(_model)]
    url: Annotated[str, AfterValidator(_http)] | None = None
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    key_secret: Annotated[str, Field(pattern=r"^secret://.+")] | None = None
    weight: PositiveInt = 1
    concurrency: PositiveInt | None = None
    rpm: PositiveInt | None = None
    tpm: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    context_tokens: PositiveInt | None = None
    json_schema: Annotated[bool, BeforeValidator(_truth)] | None = None


class GroupRule(_Part):
    """A group as people write it; see ``ModelGroup``."""

    deployments: Annotated[Names, Field(min_length=1)]
    strategy: Strategy = Strategy.WEIGHTED
    fallback: Names = ()
    longer: Names = ()


class GroupRules(_Part):
    """All models of an installation; the embedded one is there unnamed, as deployment and group ``local``."""

    deployments: dict[Name, DeploymentRule] = Field(default_factory=dict)
    groups: Annotated[dict[Name, GroupRule], Field(min_length=1)]
    aliases: dict[Name, Name] = Field(default_factory=dict)
    default: Name | None = None


async def load_groups(path: Path, key_of: KeyOf, default: str = "") -> ModelGroups:
    """Return the groups of a file.

    Args:
        path: The file.
        key_of: Returns what an environment variable or a reference to a secret holds; its first argument is either,
            the second says whose key it is.
        default: Group of rows that name none, before what the file says.

    Raises:
        InvalidModels: It cannot be read, is not YAML, or does not say what it has to; every fault is told.
    """
    rules = load_document(path, GroupRules, InvalidModels, _contradictions)
    deployments = {LOCAL_DEPLOYMENT.group: LOCAL_DEPLOYMENT}
    for name, rule in rules.deployments.items():
        source = rule.key_env or rule.key_secret
        key = await key_of(source, f"the key of {name}") if source else None
        if rule.key_env and key is None:
            raise InvalidModels(path, [f"{rule.key_env}, the key of {name}, is not set"])
        deployments[name] = _deployment(name, rule, key)
    groups = [
        ModelGroup(
            name=name,
            deployments=tuple(deployments[one] for one in rule.deployments),
            strategy=rule.strategy,
            fallback=rule.fallback,
            longer=rule.longer,
        )
        for name, rule in rules.groups.items()
    ]
    if LOCAL_DEPLOYMENT.group not in rules.groups:
        groups.append(ModelGroup(name=LOCAL_DEPLOYMENT.group, deployments=(LOCAL_DEPLOYMENT,)))
    chosen = default or rules.default or groups[0].name
    return ModelGroups(groups=tuple(groups), default=chosen, aliases=rules.aliases)


def _deployment(name: str, rule: DeploymentRule, key: SecretStr | None) -> Deployment:
    return Deployment(
        group=name,
        model=rule.model,
        api_base=rule.url,
        api_key=key,
        max_tokens=rule.max_tokens,
        weight=rule.weight,
        concurrency=rule.concurrency,
        rpm=rule.rpm,
        tpm=rule.tpm,
        context_tokens=rule.context_tokens,
        json_schema=rule.json_schema,
    )


def _contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    """Find names that stand for nothing; what has no name at all is told by its field."""
    document = _mapping(value)
    deployments, groups, aliases = (_mapping(document.get(name)) for name in ("deployments", "groups", "aliases"))
    known_groups = {*groups, LOCAL_DEPLOYMENT.group}
    if LOCAL_DEPLOYMENT.group in deployments:
        yield ("deployments", LOCAL_DEPLOYMENT.group), "this is the name of the embedded model"
    for name, one in deployments.items():
        if _mapping(one).get("key_env") and _mapping(one).get("key_secret"):
            yield ("deployments", name, "key_secret"), "the key stands in key_env already; name one place"
    for name, group in groups.items():
        yield from _strangers(("groups", name), _mapping(group), {*deployments, LOCAL_DEPLOYMENT.group}, known_groups)
    for alias, group in aliases.items():
        if alias in known_groups:
            yield ("aliases", alias), "this is the name of a group"
        if isinstance(group, str) and group not in known_groups:
            yield ("aliases", alias), f"there is no group {group!r}"
    default = document.get("default")
    if isinstance(default, str) and default not in {*known_groups, *aliases}:
        yield ("default",), f"there is no group {default!r}"


def _strangers(place: Place, group: dict[str, Any], deployments: set[str], groups: set[str]) -> Iterator[Fault]:
    fields = (("deployments", deployments, "deployment"), ("fallback", groups, "group"), ("longer", groups, "group"))
    for field, known, what in fields:
        named = group.get(field)
        for number, one in enumerate(named if isinstance(named, list) else ()):
            if isinstance(one, str) and one not in known:
                yield (*place, field, number), f"there is no {what} {one!r}"


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any YAML value
    return value if isinstance(value, dict) else {}
