"""Experiments: what is compared, how it stands, and which variant is known to be better."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from activities.experiments.contracts import Experiment, Report, Status
from api import experimenting
from api.errors import errors
from api.experiment_models import EndBody, ExperimentBody, Experiments
from api.models import OperatorBody
from api.permission import Access, may
from api.services import Served

router = APIRouter(prefix="/experiments", tags=["feedback"])

READS = may("experiments.read")
Manages = Annotated[Access, may("experiments.manage")]
Name = Annotated[str, Path(max_length=60)]


@router.get("", responses=errors(422, 503), dependencies=[READS])
async def list_experiments(services: Served) -> Experiments:
    """List experiments, the newest first."""
    return Experiments(experiments=await services.experiments.all())


@router.post("", status_code=201, responses={200: {"model": Experiment}, **errors(400, 403, 404, 409, 422, 503)})
async def create_experiment(body: ExperimentBody, response: Response, services: Served, access: Manages) -> Experiment:
    """Begin an experiment. It never changes; the same one again is status 200 and left as it stands."""
    response.status_code = 200 if body.name in await services.experiments.variants() else 201
    return await experimenting.create(services, access.principal, body)


@router.get("/{name}", responses=errors(404, 422, 503), dependencies=[READS])
async def show_experiment(name: Name, services: Served) -> Report:
    """Show how good the variants are and what the test says; it holds however often one looks."""
    return await services.experiments.report(name)


@router.post("/{name}/pause", responses=errors(403, 404, 409, 422, 503))
async def pause_experiment(name: Name, body: OperatorBody, services: Served, access: Manages) -> Experiment:
    """Give no further unit a variant; those that have one keep it, and votes on them count."""
    return await experimenting.steer(services, access.principal, name, Status.PAUSED, body)


@router.post("/{name}/resume", responses=errors(403, 404, 409, 422, 503))
async def resume_experiment(name: Name, body: OperatorBody, services: Served, access: Manages) -> Experiment:
    """Give units variants again."""
    return await experimenting.steer(services, access.principal, name, Status.RUNNING, body)


@router.post("/{name}/end", responses=errors(403, 404, 409, 422, 503))
async def end_experiment(name: Name, body: EndBody, services: Served, access: Manages) -> Experiment:
    """End an experiment: no further vote counts, and every row gets the variant that is adopted, if one is."""
    return await experimenting.steer(services, access.principal, name, Status.ENDED, body)
