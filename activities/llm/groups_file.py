"""Reads models and their groups from YAML and tells every fault with its place; keys are referred to, never written."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, SecretStr

from activities.llm.contracts import InvalidModels
from activities.llm.groups import (
    AUTO,
    DEFAULT_LOCAL_SHARE,
    LOCAL_DEPLOYMENT,
    Counted,
    Deployment,
    ModelGroup,
    ModelGroups,
    RoutingRules,
    Strategy,
)
from activities.yaml_document import Fault, Place, load_document
from activities.yaml_fields import PositiveAmount
from catalogs.row import Risk

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


def _share(value: object) -> float:
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("must be a share from 0% to 100%, such as 40%")
    return share


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
        local: The endpoint is of the house: what is sent there goes to nobody else.
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
    local: Annotated[bool, BeforeValidator(_truth)] = False
    budget_usd_per_day: PositiveAmount | None = None


class GroupRule(_Part):
    """A group as people write it; see ``ModelGroup``."""

    deployments: Annotated[Names, Field(min_length=1)]
    strategy: Strategy = Strategy.WEIGHTED
    fallback: Names = ()
    longer: Names = ()


class RoutingRule(_Part):
    """How rows find a model that name none, as people write it; see ``RoutingRules``."""

    tiers: Annotated[Names, Field(min_length=1)]
    local_share: Annotated[float, BeforeValidator(_share)] = DEFAULT_LOCAL_SHARE
    local_share_of: Counted = Counted.CALLS
    best_for: tuple[Risk, ...] = (Risk.HIGH, Risk.CRITICAL)


class GroupRules(_Part):
    """All models of an installation; the embedded one is there unnamed, as deployment and group ``local``."""

    deployments: dict[Name, DeploymentRule] = Field(default_factory=dict)
    groups: Annotated[dict[Name, GroupRule], Field(min_length=1)]
    aliases: dict[Name, Name] = Field(default_factory=dict)
    default: Name | None = None
    routing: RoutingRule | None = None


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
    keys: dict[str, SecretStr | None] = {}
    for name, rule in rules.deployments.items():
        source = rule.key_env or rule.key_secret
        keys[name] = await key_of(source, f"the key of {name}") if source else None
        if rule.key_env and keys[name] is None:
            raise InvalidModels(path, [f"{rule.key_env}, the key of {name}, is not set"])
    return _groups(rules, keys, default)


def load_keyless_groups(path: Path, default: str = "") -> ModelGroups:
    """Return the groups of a file for who asks no model: what there is, what is local, and how rows are routed.

    Raises:
        InvalidModels: See ``load_groups``.
    """
    return _groups(load_document(path, GroupRules, InvalidModels, _contradictions), {}, default)


def _groups(rules: GroupRules, keys: dict[str, SecretStr | None], default: str) -> ModelGroups:
    deployments = {name: _deployment(name, rule, keys.get(name)) for name, rule in rules.deployments.items()}
    deployments[LOCAL_DEPLOYMENT.group] = LOCAL_DEPLOYMENT
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
    routing = RoutingRules(**dict(rules.routing)) if rules.routing else None
    return ModelGroups(groups=tuple(groups), default=chosen, aliases=rules.aliases, routing=routing)


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
        local=rule.local,
        budget_usd_per_day=rule.budget_usd_per_day,
    )


def _contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    """Find names that stand for nothing; what has no name at all is told by its field."""
    document = _mapping(value)
    deployments, groups, aliases = (_mapping(document.get(name)) for name in ("deployments", "groups", "aliases"))
    known_groups = {*groups, LOCAL_DEPLOYMENT.group}
    if LOCAL_DEPLOYMENT.group in deployments:
        yield ("deployments", LOCAL_DEPLOYMENT.group), "this is the name of the embedded model"
    for name, one in deployments.items():
        yield from _at_odds(("deployments", name), _mapping(one))
    for name, group in groups.items():
        yield from _strangers(("groups", name), _mapping(group), {*deployments, LOCAL_DEPLOYMENT.group}, known_groups)
    if AUTO in groups:
        yield ("groups", AUTO), "rows that leave the choice to the routing say so"
    yield from _misnamed(aliases, known_groups)
    yield from _named(("routing", "tiers"), _mapping(document.get("routing")).get("tiers"), known_groups, "group")
    default = document.get("default")
    if isinstance(default, str) and default not in {*known_groups, *aliases}:
        yield ("default",), f"there is no group {default!r}"


def _at_odds(place: Place, deployment: dict[str, Any]) -> Iterator[Fault]:
    if deployment.get("key_env") and deployment.get("key_secret"):
        yield (*place, "key_secret"), "the key stands in key_env already; name one place"
    if deployment.get("local") == "true" and not deployment.get("url"):
        yield (*place, "local"), "the provider's own endpoint is not of the house; give its url"


def _misnamed(aliases: dict[str, Any], groups: set[str]) -> Iterator[Fault]:
    for alias, group in aliases.items():
        if alias in {*groups, AUTO}:
            yield ("aliases", alias), "this is the name of a group"
        if isinstance(group, str) and group not in groups:
            yield ("aliases", alias), f"there is no group {group!r}"


def _strangers(place: Place, group: dict[str, Any], deployments: set[str], groups: set[str]) -> Iterator[Fault]:
    fields = (("deployments", deployments, "deployment"), ("fallback", groups, "group"), ("longer", groups, "group"))
    for field, known, what in fields:
        yield from _named((*place, field), group.get(field), known, what)


def _named(place: Place, names: Any, known: set[str], what: str) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    for number, one in enumerate(names if isinstance(names, list) else ()):
        if isinstance(one, str) and one not in known:
            yield (*place, number), f"there is no {what} {one!r}"


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any YAML value
    return value if isinstance(value, dict) else {}
