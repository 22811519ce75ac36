"""The records database: engine, migrations and the clock format."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

MIGRATIONS = Path(__file__).with_name("migrations")


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment (default now) as ISO 8601 UTC with microseconds."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def open_database(url: str) -> Engine:
    """Return an engine for a SQLAlchemy URL; nothing is connected yet.

    Args:
        url: ``sqlite:///path`` or ``postgresql+psycopg://…``.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=8)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:  # noqa: ANN401 -- a DBAPI connection has no type
        # WAL lets API, gateway and workers read while one writes; NORMAL survives a killed process, as
        # only a power failure can take the last commits, and Temporal then repeats them.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upsert(engine: Engine, table: type[SQLModel]) -> Any:  # noqa: ANN401 -- the two dialects' Insert share no base
    """Return an INSERT for a table that knows ``on_conflict_do_*`` on both databases."""
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    return dialect.insert(table.__table__)  # type: ignore[attr-defined]
