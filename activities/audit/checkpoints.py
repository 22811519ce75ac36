"""Checkpoints: the installation's key signs how the log stands, after it has checked what was added."""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from activities.audit import reading
from activities.audit.chain import Chain, Faults
from activities.audit.contracts import AuditTampered, Checkpoint
from activities.audit.signing import AuditSigners, PublicKeys, signed_checkpoint
from activities.audit.tables import AuditCheckpointRow
from activities.records.database import upsert
from temporal.errors import PrismError

log = logging.getLogger(__name__)

# What somebody who can write to the database, yet has not the key, could change unseen is no older than this.
EVERY_SECONDS: Final = 15.0


class Checkpointer:
    """Signs checkpoints, into the database and into a file beside the key.

    Args:
        engine: The records database.
        signer: The installation's keys.
        anchor: File of the newest checkpoint: who changes the database does not reach it.
    """

    def __init__(self, engine: Engine, signer: AuditSigners, anchor: Path) -> None:
        self._engine = engine
        self._signer = signer
        self._anchor = anchor

    async def watch(self, stop: asyncio.Event) -> None:
        """Sign every ``EVERY_SECONDS`` and once more at the end, until told to stop."""
        stopping = False
        while not stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
            stopping = stop.is_set()
            try:
                await asyncio.to_thread(self.sign)
            except AuditTampered as error:
                log.critical("%s", error.message)
            except (SQLAlchemyError, OSError, PrismError) as error:
                log.warning("the audit log could not be signed now: %s", error)

    def sign(self) -> Checkpoint | None:
        """Sign how the log stands, after checking everything since the last signature; ``None`` while it is empty.

        Raises:
            AuditTampered: The log does not continue what was signed; nothing is signed, so that it stays visible.
        """
        with _alone(self._anchor):
            last = self._last()
            sequence, head = self._checked(last)
            if last is not None and sequence == last.sequence:
                return last
            if sequence == 0:
                return None
            made = signed_checkpoint(self._signer.current(), sequence, head)
            self._keep(made)
            return made

    def kept(self) -> Checkpoint | None:
        """Return the checkpoint of the file; ``None`` where there is none.

        Raises:
            AuditTampered: The file is damaged.
        """
        return read_anchor(self._anchor)

    def _last(self) -> Checkpoint | None:
        """Return the newest checkpoint that counts, of the file and of the database."""
        known = [one for one in (self.kept(), reading.last_checkpoint(self._engine)) if one is not None]
        keys = PublicKeys(self._signer.public_key_pems)
        good = [one for one in known if not keys.checkpoint_fault(one)]
        return max(good, key=lambda one: one.sequence, default=None)

    def _checked(self, last: Checkpoint | None) -> tuple[int, str]:
        """Return the last entry and its hash; the signed one is read too, so that it is noticed when it is gone."""
        faults = Faults()
        chain = Chain(faults, [last], before=None) if last else Chain(faults)
        for entry in reading.entries(self._engine, after=last.sequence - 1 if last else reading.START):
            chain.take(entry)
        chain.finish()
        if last is not None and chain.anchored is None and not faults.found:
            faults.add(last.sequence, f"the entry signed at {last.at} is missing", "no entry", last.hash)
        if faults.found:
            first = faults.told[0]
            raise AuditTampered(
                f"the audit log was tampered with at entry {first.sequence}: {first.what}; nothing further is signed, "
                "see prism audit verify",
                sequence=first.sequence,
            )
        return chain.last

    def _keep(self, made: Checkpoint) -> None:
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                # What the file outside names must have reached the disk: a power failure shall not look like tampering.
                connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.execute(upsert(self._engine, AuditCheckpointRow).on_conflict_do_nothing(), made.model_dump())
            connection.commit()
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        written = self._anchor.with_name(f".{self._anchor.name}.{os.getpid()}")
        with written.open("w") as file:
            file.write(made.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._anchor)


def read_anchor(path: Path) -> Checkpoint | None:
    """Return the checkpoint of a file; ``None`` where there is no file.

    Raises:
        AuditTampered: It is damaged.
    """
    try:
        return Checkpoint.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise AuditTampered(f"{path} is no checkpoint of the audit log: it was altered or damaged") from None


@contextlib.contextmanager
def _alone(anchor: Path) -> Iterator[None]:
    """Hold a file lock: of two processes that sign at once, the slower one must not put the newer word away."""
    anchor.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with anchor.with_suffix(".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
