"""The page of experiments: how good variants are, what the test says, and where experiments begin and end."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from activities.experiments.contracts import MOST_VARIANTS, Comparison, Metric, Unit
from api.console.render import page
from api.console.reviews import account_of
from api.permission import Access, may
from api.services import Served
from catalogs.experiment import Variant
from workers.agents import installed

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Sees = Annotated[Access, may("experiments.read")]
SHOWN: Final = 20
METRICS: Final = {
    Metric.VOTES: "everybody's votes",
    Metric.REVIEWS: "reviewers' decisions",
    Metric.READERS: "readers' votes",
}
UNITS: Final = {Unit.ROW: "a row, in all its runs", Unit.RUN: "a row of one run"}


@router.get("/experiments")
async def experiments_page(services: Served, access: Sees) -> Response:
    """Show experiments, the newest first."""
    found = await services.experiments.all()
    manages = services.access_policy.decide(access.principal, "experiments.manage").allow
    agents = (await asyncio.to_thread(installed, services.settings))["agents"] if manages else {}
    return page(
        "experiments.html",
        account=account_of(access),
        reports=[await services.experiments.report(one.spec.name) for one in found[:SHOWN]],
        known=len(found),
        manages=manages,
        personal=access.principal.personal,
        agents=sorted(agents),
        differs=differs,
        metrics=METRICS,
        units=UNITS,
        most=MOST_VARIANTS,
        reached=reached,
    )


def differs(variant: Variant) -> str:
    """Return in words what a variant changes."""
    told = [f"model {variant.model}"] if variant.model else []
    told += [f"agent {variant.agent.label}"] if variant.agent else []
    told += ["prompt"] if variant.prompt else []
    return ", ".join(told) or "as written"


def reached(comparison: Comparison, threshold: float) -> float:
    """Return how much of the evidence that is wanted there has been at best, in percent."""
    return 100.0 if comparison.better else min(100 * comparison.evidence(threshold), 100)
