"""The proof of a run, for whoever asks for it."""

from collections.abc import AsyncIterator

from activities.provenance.bundle import bundle
from activities.provenance.register import SqlRunSeals
from activities.records.contracts import RunState
from api.control import known_run
from api.errors import Conflict
from api.services import Services
from workers.provenance import public_keys


async def proof(services: Services, run: str) -> AsyncIterator[bytes]:
    """Return the bytes of a run's proof as they are written.

    Raises:
        NotFound: There is no such run.
        Conflict: It has not ended, or its end is not sealed.
    """
    view = await known_run(services, run)
    if not view.state.ended:
        raise Conflict(f"run {run} has not ended: it is sealed at its end", run=run, state=view.state.value)
    seals = await SqlRunSeals(services.stores.engine).of(run)
    if not seals or seals[-1].sequence < view.sequence:
        raise Conflict(f"run {run} has no seal of its end: {_why(view.state)}", run=run, state=view.state.value)
    return bundle(seals, services.stores.artifacts, public_keys(services.settings).keys())


def _why(state: RunState) -> str:
    if state is RunState.TERMINATED:
        return "it was terminated, and what is terminated signs nothing"
    return "it is being made right now, or the run ended before there were seals of runs; retrying rows seals it anew"
