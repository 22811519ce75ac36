"""The proof of a run, for whoever asks for it."""

from collections.abc import AsyncIterator

from activities.provenance.bundle import bundle
from activities.provenance.register import SqlRunSeals
from activities.provenance.run_contracts import RunSeal
from activities.records.contracts import RunState
from activities.records.views import RunView
from api.control import known_row, known_run
from api.errors import Conflict
from api.services import Services
from workers.provenance import public_keys


async def proof(services: Services, run: str, row: str = "") -> AsyncIterator[bytes]:
    """Return the bytes of the proof of a run, or of one of its rows, as they are written.

    Raises:
        NotFound: There is no such run or row.
        Conflict: It has not ended, or its end is not sealed.
    """
    view = await known_run(services, run)
    if not view.state.ended:
        raise Conflict(f"run {run} has not ended: it is sealed at its end", run=run, state=view.state.value)
    seals = await _seals(services, view)
    if not seals:
        raise Conflict(f"run {run} has no seal of its end: {_why(view.state)}", run=run, state=view.state.value)
    if row:
        await known_row(services, run, row)
    return bundle(seals, services.stores.artifacts, public_keys(services.settings).keys(), row or None)


async def has_proof(services: Services, view: RunView) -> bool:
    """Return whether a run's end is sealed."""
    return bool(await _seals(services, view))


async def _seals(services: Services, view: RunView) -> list[RunSeal]:
    """Return the seals of a run, the last of them of the end it has now; none where that is not sealed."""
    seals = await SqlRunSeals(services.stores.engine).of(view.run) if view.state.ended else []
    return seals if seals and seals[-1].sequence >= view.sequence else []


def _why(state: RunState) -> str:
    if state is RunState.TERMINATED:
        return "it was terminated, and what is terminated signs nothing"
    return "it is being made right now, or the run ended before there were seals of runs; retrying rows seals it anew"
