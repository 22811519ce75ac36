"""What a gateway says of its models: for whoever looks at the installation."""

from pathlib import Path
from typing import Final

import httpx
from pydantic import Field, ValidationError

from activities.budgets.contracts import Allowances
from activities.llm.gateway_asking import gateway_on
from activities.llm.groups import Deployment, RoutingRules
from activities.llm.routing import Router
from temporal.contract import Contract

PATH: Final = "/v1/groups"
# Somebody watches a page: rather nothing than a page that waits.
ANSWER_WITHIN_SECONDS: Final = 0.5


class DeploymentState(Contract):
    """A deployment and how it does.

    Args:
        circuit: ``closed``, ``open`` (left alone), ``half-open`` (one call probes it).
        spent_usd: What its calls cost today, where it has a budget of its own.
    """

    name: str
    model: str
    provider: str
    local: bool = False
    circuit: str = "closed"
    under_way: int = 0
    latency_ms: float | None = None
    budget_usd_per_day: float | None = None
    spent_usd: float = 0.0


class GroupState(Contract):
    """A group and its deployments."""

    group: str
    strategy: str
    fallback: tuple[str, ...] = ()
    deployments: tuple[DeploymentState, ...] = ()


class GatewayModels(Contract):
    """All models of a gateway, and how rows find theirs that name none."""

    default: str = ""
    aliases: dict[str, str] = Field(default_factory=dict)
    groups: tuple[GroupState, ...] = ()
    routing: RoutingRules | None = None


async def described(router: Router, allowances: Allowances) -> dict[str, object]:
    """Return the models of a router as JSON."""
    found = [
        GroupState(
            group=group.name,
            strategy=group.strategy,
            fallback=group.fallback,
            deployments=tuple([await _deployment(router, allowances, one) for one in group.deployments]),
        )
        for group in router.groups.groups
    ]
    groups = router.groups
    models = GatewayModels(default=groups.default, aliases=groups.aliases, groups=tuple(found), routing=groups.routing)
    return models.model_dump(mode="json")


async def models_of(socket: Path) -> GatewayModels | None:
    """Ask the gateway on this machine for its models; ``None`` where none answers."""
    try:
        async with gateway_on(socket, ANSWER_WITHIN_SECONDS) as client:
            return GatewayModels.model_validate_json((await client.get(PATH)).content)
    except (httpx.HTTPError, ValidationError):
        return None


async def _deployment(router: Router, allowances: Allowances, deployment: Deployment) -> DeploymentState:
    health = router.health(deployment)
    budget = deployment.budget_usd_per_day
    return DeploymentState(
        name=deployment.group,
        model=deployment.name,
        provider="embedded" if deployment.embedded else deployment.model.partition("/")[0],
        local=deployment.local,
        circuit=health.state,
        under_way=health.under_way,
        latency_ms=health.latency_ms,
        budget_usd_per_day=budget,
        spent_usd=await allowances.spent_usd(deployment.group) if budget else 0.0,
    )
