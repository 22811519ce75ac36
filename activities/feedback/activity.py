"""The activity that makes a data set of preference pairs when enough new ones are there."""

from typing import Final, Protocol

from pydantic import NonNegativeInt
from temporalio import activity

from activities.artifacts.contracts import ArtifactStore, Digest
from activities.feedback.contracts import Dataset
from activities.notifications.contracts import Notification, Notifier
from temporal.contract import Contract, StepRef
from temporal.names import ActivityName

ADMINISTRATORS: Final = ("role:admin",)


class CollectRequest(Contract):
    """Make a data set if there are enough new pairs.

    Args:
        wanted: How many pairs there must be that no data set has; ``None`` as the installation is set up.
    """

    wanted: NonNegativeInt | None = None


class Collected(Contract):
    """What came of it.

    Args:
        new: Pairs that no data set had.
        dataset: The data set that was made; ``None`` while there are too few.
    """

    new: NonNegativeInt
    dataset: Dataset | None = None


class PairSource(Protocol):
    """Where pairs come from."""

    async def count(self) -> int:
        """Return how many there are."""
        ...

    async def lines(self) -> list[str]:
        """Return them all as JSON lines, in an order that stays."""
        ...


class DatasetRegister(Protocol):
    """Remembers data sets."""

    async def newest(self) -> Dataset | None:
        """Return the newest, if there is one."""
        ...

    async def add(self, digest: Digest, pairs: int) -> Dataset:
        """Remember one, once, and return it."""
        ...


class TrainingDataActivities:
    """Makes data sets for training. It may be repeated: the same pairs are the same artifact, told of once.

    Args:
        source: Where pairs come from.
        register: What was made before.
        artifacts: Where data sets are kept.
        notifier: Tells administrators.
        wanted: How many new pairs make a data set, where a request does not say.
    """

    def __init__(
        self, source: PairSource, register: DatasetRegister, artifacts: ArtifactStore, notifier: Notifier, wanted: int
    ) -> None:
        self._source = source
        self._register = register
        self._artifacts = artifacts
        self._notifier = notifier
        self._wanted = wanted

    @activity.defn(name=ActivityName.COLLECT_PAIRS)
    async def collect(self, request: CollectRequest) -> Collected:
        """Keep all pairs as one artifact if enough of them are new, and tell administrators."""
        earlier = await self._register.newest()
        # People may take votes back: fewer pairs than before are none that are new.
        new = max(await self._source.count() - (earlier.pairs if earlier else 0), 0)
        if not new or new < (self._wanted if request.wanted is None else request.wanted):
            return Collected(new=new)
        lines = await self._source.lines()
        digest = await self._artifacts.put("".join(lines).encode())
        dataset = await self._register.add(digest, len(lines))
        await self._notifier.deliver(_told(dataset, new))
        return Collected(new=new, dataset=dataset)


def _told(dataset: Dataset, new: int) -> Notification:
    return Notification(
        step=StepRef(run="feedback", row=dataset.digest.removeprefix("sha256:")[:16], step="dataset"),
        recipients=ADMINISTRATORS,
        title=f"A data set of {dataset.pairs} preference pairs is ready",
        body=f"{new} of them are new. It is the artifact {dataset.digest}. "
        "Prism trains no models: give it to what does.",
    )
