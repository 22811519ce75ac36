"""Which policies are in force, told to the audit log when that changes."""

import asyncio
import contextlib
import functools
import hashlib
import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, select

from activities.audit.actor import INSTALLATION
from activities.audit.contracts import AuditEvent, AuditKind
from activities.audit.log import append
from activities.audit.reading import ENTRIES, as_entry
from activities.policy.contracts import PolicyUnavailable
from activities.policy.engine import PolicyEngine
from activities.policy.live import LOOK_SECONDS, LivePolicies
from activities.records.contracts import RecordsUnavailable
from activities.records.transactions import Transactions
from temporal.contract import Contract

log = logging.getLogger("prism.policy")

_KINDS: Final = (AuditKind.POLICY_LOADED, AuditKind.POLICY_REFUSED)


class InForce(Contract):
    """The policies in force.

    Args:
        policy: Their digest.
        source: Where they are from.
        fault: Why changed ones are not in force; empty where there are none.
    """

    policy: str
    source: str
    fault: str = ""


class PolicySource(Protocol):
    """Policies of one kind."""

    name: str

    async def in_force(self) -> InForce:
        """Return what is in force now.

        Raises:
            PolicyUnavailable: That cannot be told now.
        """
        ...


class FolderSource:
    """Policies of a folder.

    Args:
        name: What they are about.
        live: The policies.
        folder: Where they are.
    """

    def __init__(self, name: str, live: LivePolicies, folder: str) -> None:
        self.name = name
        self._live = live
        self._folder = folder

    async def in_force(self) -> InForce:
        """Return what is in force now."""
        policy = self._live.current().digest
        return InForce(policy=policy, source=self._folder, fault=self._live.fault)


class EngineSource:
    """Policies of a server.

    Args:
        name: What they are about.
        engine: The server.
        url: Where it is.
    """

    def __init__(self, name: str, engine: PolicyEngine, url: str) -> None:
        self.name = name
        self._engine = engine
        self._url = url

    async def in_force(self) -> InForce:
        """Return what is in force now."""
        return InForce(policy=await self._engine.in_force(), source=self._url)


class PolicyJournal:
    """Writes an entry whenever other policies are in force than the log says, or changed ones are refused.

    Any number of processes may watch the same policies: of their entries one counts.

    Args:
        engine: The records database.
        sources: The policies.
        every: How often to look, in seconds.
    """

    def __init__(self, engine: Engine, sources: Sequence[PolicySource], every: float = LOOK_SECONDS) -> None:
        self._transactions = Transactions(engine)
        self._every = every
        self._sources = sources
        self._told: dict[str, InForce] = {}

    async def watch(self, stop: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        while not stop.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)

    async def look(self) -> None:
        """Look once; what cannot be told or written now is looked at again."""
        for source in self._sources:
            try:
                found = await source.in_force()
                if self._told.get(source.name) != found:
                    await self._transactions.run(functools.partial(_write, name=source.name, found=found))
                    self._told[source.name] = found
            except (PolicyUnavailable, RecordsUnavailable) as error:
                log.info("the policies in force cannot be told to the audit log now: %s", error.message)


def _write(connection: Connection, name: str, found: InForce) -> None:
    subject = f"policy/{name}"
    last = _last(connection, subject)
    before = last["detail"].get("policy", "") if last else ""
    if last is not None and (before, last["detail"].get("fault", "")) == (found.policy, found.fault):
        return
    told = found.model_dump(exclude_defaults=True) | ({"before": before} if before not in ("", found.policy) else {})
    state = hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:16]
    kind = AuditKind.POLICY_REFUSED if found.fault else AuditKind.POLICY_LOADED
    # Of two processes that found the same entry to be the last, the second writes nothing.
    key = f"{subject}/{last['sequence'] if last else 0}/{state}"
    append(connection, AuditEvent(kind=kind, actor=INSTALLATION, subject=subject, detail=told, key=key))


def _last(connection: Connection, subject: str) -> dict[str, Any] | None:
    here = ENTRIES.c.kind.in_(_KINDS) & (ENTRIES.c.subject == subject)
    row = connection.execute(select(ENTRIES).where(here).order_by(ENTRIES.c.sequence.desc()).limit(1)).first()
    return as_entry(row) if row else None
