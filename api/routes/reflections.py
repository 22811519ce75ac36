"""Reflections: what people found wrong with an agent's outputs becomes a changed prompt that a person decides on."""

from typing import Annotated

from fastapi import APIRouter, Path

from activities.reflections.contracts import Reflection
from api import reflecting
from api.errors import errors
from api.permission import Access, may
from api.reflection_models import ReflectBody, Reflections
from api.services import Served

router = APIRouter(prefix="/reflections", tags=["feedback"])

READS = may("feedback.read")
Reflects = Annotated[Access, may("feedback.reflect")]


@router.post("", status_code=201, responses=errors(404, 409, 422, 503))
async def start_reflection(body: ReflectBody, services: Served, access: Reflects) -> Reflection:
    """Have a changed prompt proposed for an agent. The proposal is the row `prompt` of a run of the same id.

    The answer comes when it is known whether there is enough to reflect on: `state` is then `under_way` or `nothing`.
    """
    return await reflecting.reflect(services, access.principal, body)


@router.get("", responses=errors(503), dependencies=[READS])
async def list_reflections(services: Served) -> Reflections:
    """List reflections, the newest first, each with the version of the prompt that came of it."""
    return await reflecting.reflections(services)


@router.get("/{reflection}", responses=errors(404, 422, 503), dependencies=[READS])
async def get_reflection(reflection: Annotated[str, Path(max_length=100)], services: Served) -> Reflection:
    """Show a reflection, and the version of the prompt that came of it."""
    return await reflecting.known_reflection(services, reflection)
