"""Reflections on agents: what every front door calls."""

import asyncio
import time
import uuid
from typing import Final

from temporalio.service import RPCError

from activities.identity.contracts import Principal
from activities.records.database import timestamp
from activities.reflections.contracts import Reflection, ReflectionState, ReflectRequest, reflection_id
from activities.reflections.register import SqlReflectionRegister
from api.errors import Conflict, NotFound
from api.reflection_models import ReflectBody, Reflections
from api.services import Services
from catalogs.evidence import ROW
from temporal.client import TemporalUnavailable
from temporal.names import REFLECTION_WORKFLOWS, TaskQueue
from workers.agents import installed
from workflows.contracts import PROPOSAL_TOKENS, ReflectionRun, RunOptions
from workflows.reflection import ReflectionWorkflow

SHOWN: Final = 50
# What there is to reflect on is known within a second or two of a free worker; who asks is told at once then.
GATHERING_SECONDS: Final = 10.0
GATHERING_PAUSE: Final = 0.1


async def reflect(services: Services, principal: Principal, body: ReflectBody) -> Reflection:
    """Begin a reflection, and return it once it is known whether there is enough to reflect on.

    Raises:
        NotFound: There is no such agent.
        Conflict: A reflection on it is under way.
        Forbidden: They claim to be somebody else.
        TemporalUnavailable: The Temporal server does not answer.
    """
    by = principal.acting_as(body.by)
    agents = (await asyncio.to_thread(installed, services.settings))["agents"]
    if body.agent not in agents:
        raise NotFound(f"there is no agent {body.agent}; there are {', '.join(sorted(agents))}", agent=body.agent)
    register = SqlReflectionRegister(services.stores.engine)
    if going := await register.under_way(body.agent):
        told = f"reflection {going.reflection} on {body.agent} is under way: decide on what it proposes first"
        raise Conflict(told, reflection=going.reflection)
    identity = reflection_id(body.agent, uuid.uuid4().hex)
    request = ReflectRequest(reflection=identity, **body.model_dump(exclude={"by"}), by=by)
    settings = services.settings
    options = RunOptions(judge_group=settings.judge_group, max_tokens=PROPOSAL_TOKENS)
    try:
        await services.temporal.start_workflow(
            ReflectionWorkflow.run,
            ReflectionRun(reflect=request, options=options),
            id=f"{REFLECTION_WORKFLOWS}{identity}",
            task_queue=TaskQueue.WORKFLOWS,
            static_summary=f"reflection on {body.agent}",
        )
    except RPCError as error:
        raise TemporalUnavailable(f"the Temporal server did not take the reflection: {error.message}") from error
    wanted = body.wanted or settings.reflection_evidence
    begun = Reflection(
        reflection=identity,
        agent=body.agent,
        board=body.board,
        by=by,
        state=ReflectionState.GATHERING,
        wanted=wanted,
        at=timestamp(),
    )
    return await _gathered(services, register, begun)


async def reflections(services: Services) -> Reflections:
    """Return the newest reflections."""
    found = await SqlReflectionRegister(services.stores.engine).reflections(SHOWN)
    return Reflections(reflections=found, wanted=services.settings.reflection_evidence)


async def known_reflection(services: Services, identity: str) -> Reflection:
    """Return a reflection.

    Raises:
        NotFound: There is none of this id.
    """
    found = await SqlReflectionRegister(services.stores.engine).reflection(identity)
    if found is None:
        raise NotFound(f"there is no reflection {identity}", reflection=identity)
    return found


async def _gathered(services: Services, register: SqlReflectionRegister, begun: Reflection) -> Reflection:
    """Wait until evidence is gathered, and its row can be looked at; where no worker is free, return what has begun."""
    deadline = time.monotonic() + GATHERING_SECONDS
    while time.monotonic() < deadline:
        begun = await register.reflection(begun.reflection) or begun
        if begun.state.ended or await services.queries.row(begun.reflection, ROW) is not None:
            return begun
        await asyncio.sleep(GATHERING_PAUSE)
    return begun
