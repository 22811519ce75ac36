"""Experiments: what every front door calls."""

from pydantic import ValidationError

from activities.experiments.contracts import Experiment, ExperimentSpec, Status
from activities.identity.contracts import Principal
from api.errors import BadRequest, value_faults
from api.experiment_models import EndBody, ExperimentBody, VariantBody
from api.models import OperatorBody
from api.services import Services
from catalogs.experiment import Variant
from catalogs.team import Agent
from catalogs.templates import malformed
from workers.models import keyless_models
from workers.reflections import in_use


async def create(services: Services, principal: Principal, body: ExperimentBody) -> Experiment:
    """Begin an experiment; the same one again is left as it stands.

    Raises:
        BadRequest: Its variants do not differ, name an agent that there is not, or have no template as prompt.
        UnknownModel: A variant names a model that there is not.
        ExperimentExists: Another experiment has this name.
        Forbidden: They claim to be somebody else.
    """
    by = principal.acting_as(body.by)
    agents = (await in_use(services.settings, services.stores.engine))["agents"]
    models = keyless_models(services.settings)
    variants = [_variant(one, agents) for one in body.variants]
    for variant in variants:
        if variant.model:
            models.find(variant.model)
    try:
        spec = ExperimentSpec(variants=tuple(variants), **body.model_dump(exclude={"variants", "by"}))
    except ValidationError as error:
        faults, told = value_faults(error.errors())
        raise BadRequest(f"the experiment is not valid: {told}", faults=faults) from error
    return await services.experiments.create(spec, by)


async def steer(
    services: Services, principal: Principal, name: str, status: Status, body: OperatorBody | EndBody
) -> Experiment:
    """Pause, resume or end an experiment.

    Raises:
        ExperimentNotFound: There is none of this name, or it has no such variant.
        ExperimentEnded: It has ended.
        Forbidden: They claim to be somebody else.
    """
    by = principal.acting_as(body.by)
    if isinstance(body, EndBody):
        return await services.experiments.end(name, by, body.adopt)
    change = services.experiments.pause if status is Status.PAUSED else services.experiments.resume
    return await change(name, by)


def _variant(body: VariantBody, agents: dict[str, Agent]) -> Variant:
    if body.prompt and (problem := malformed(body.prompt)):
        raise BadRequest(
            f"the prompt of variant {body.name!r} is no template: {problem.message} (line {problem.line}, "
            f"character {problem.column})"
        )
    agent = body.agent or None
    if isinstance(agent, str):
        if agent not in agents:
            raise BadRequest(f"there is no agent {agent!r}, but {', '.join(sorted(agents))}", found=agent)
        agent = agents[agent]
    return Variant(name=body.name, share=body.share, model=body.model, prompt=body.prompt, agent=agent)
