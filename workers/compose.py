"""The composition root: the only place that names backends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.plans.reader import ArtifactPlanReader
from activities.records.database import migrate, open_database
from activities.records.keeper import SqlRecordKeeper
from workers.settings import Settings


@dataclass(frozen=True)
class Stores:
    """What every process of Prism reads and writes.

    Args:
        engine: The records database.
        artifacts: Bytes by digest.
        texts: Texts by value or by digest.
        plans: Compiled catalogs.
        keeper: The writing side of the records.
    """

    engine: Engine
    artifacts: FolderArtifactStore
    texts: Texts
    plans: ArtifactPlanReader
    keeper: SqlRecordKeeper


def open_stores(settings: Settings) -> Stores:
    """Return the stores of an installation, with the records at the newest schema."""
    home = settings.home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_database(settings.records_url)
    with _alone(home / "migrate.lock"):
        migrate(engine)
    artifacts = FolderArtifactStore(settings.artifacts)
    texts = Texts(artifacts, settings.inline_limit_bytes)
    return Stores(
        engine=engine,
        artifacts=artifacts,
        texts=texts,
        plans=ArtifactPlanReader(artifacts),
        keeper=SqlRecordKeeper(engine, texts),
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a file lock: several processes start at once and only one may change the schema."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
