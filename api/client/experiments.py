"""Experiments, as ``client.experiments``."""

from typing import Any

from activities.experiments.contracts import Experiment, Report
from api.client import calls
from api.client.audit import Sends, SendsLater
from api.client.calls import Call
from api.experiment_models import Experiments


class ExperimentCalls:
    """Begins, shows and ends experiments.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: Sends) -> None:
        self._client = client

    def create(self, name: str, variants: list[dict[str, Any]], **given: Any) -> Experiment:  # noqa: ANN401 -- JSON
        """Begin an experiment; the same one again is left as it stands.

        Args:
            name: As rows name it.
            variants: Two to five, each with ``name`` and what differs: ``model``, ``prompt``, ``agent``; and ``share``.
            given: ``about``, ``metric`` (``votes``, ``reviews``, ``readers``), ``unit`` (``row``, ``run``), ``alpha``,
                ``by`` (leave it out where you are logged in).
        """
        return self._client.send(_create(name, variants, given))

    def all(self) -> Experiments:
        """Return all experiments, the newest first."""
        return self._client.send(_ALL)

    def get(self, name: str) -> Report:
        """Return how good the variants are and what the test says."""
        return self._client.send(_get(name))

    def pause(self, name: str, by: str = "") -> Experiment:
        """Give no further unit a variant."""
        return self._client.send(_steer(name, "pause", by))

    def resume(self, name: str, by: str = "") -> Experiment:
        """Give units variants again."""
        return self._client.send(_steer(name, "resume", by))

    def end(self, name: str, adopt: str | None = None, by: str = "") -> Experiment:
        """End an experiment; every row gets the variant that is adopted, or runs as written."""
        return self._client.send(_steer(name, "end", by, adopt=adopt))


class AsyncExperimentCalls:
    """As :class:`ExperimentCalls`, for asyncio.

    Args:
        client: Sends the requests.
    """

    def __init__(self, client: SendsLater) -> None:
        self._client = client

    async def create(self, name: str, variants: list[dict[str, Any]], **given: Any) -> Experiment:  # noqa: ANN401
        """Begin an experiment; the same one again is left as it stands."""
        return await self._client.send(_create(name, variants, given))

    async def all(self) -> Experiments:
        """Return all experiments, the newest first."""
        return await self._client.send(_ALL)

    async def get(self, name: str) -> Report:
        """Return how good the variants are and what the test says."""
        return await self._client.send(_get(name))

    async def pause(self, name: str, by: str = "") -> Experiment:
        """Give no further unit a variant."""
        return await self._client.send(_steer(name, "pause", by))

    async def resume(self, name: str, by: str = "") -> Experiment:
        """Give units variants again."""
        return await self._client.send(_steer(name, "resume", by))

    async def end(self, name: str, adopt: str | None = None, by: str = "") -> Experiment:
        """End an experiment; every row gets the variant that is adopted, or runs as written."""
        return await self._client.send(_steer(name, "end", by, adopt=adopt))


_ALL: Call[Experiments] = calls.get("/experiments", Experiments)


def _create(name: str, variants: list[dict[str, Any]], given: dict[str, Any]) -> Call[Experiment]:
    return calls.account("POST", "/experiments", Experiment, {"name": name, "variants": variants} | given)


def _get(name: str) -> Call[Report]:
    return calls.get(f"/experiments/{calls.part(name)}", Report)


def _steer(name: str, act: str, by: str, **more: Any) -> Call[Experiment]:  # noqa: ANN401 -- JSON values
    return calls.account("POST", f"/experiments/{calls.part(name)}/{act}", Experiment, {"by": by} | more)
