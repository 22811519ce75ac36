"""Putting together what reflections work with."""

import asyncio
from typing import Any

from sqlalchemy import Connection, Engine

from activities.audit.contracts import AuditEvent
from activities.audit.log import append
from activities.notifications.contracts import Notifier
from activities.policy.engine import PolicyEngine
from activities.records.transactions import Transactions
from activities.reflections.activity import ReflectionActivities
from activities.reflections.comparison import ReflectedExperiments
from activities.reflections.evidence import RecordedEvidence
from activities.reflections.proposals import InstalledCatalogs
from activities.reflections.register import SqlReflectionRegister
from activities.scans.contracts import SecretScanner
from catalogs.options import ReadOptions
from workers.agents import installed, reading
from workers.compose import Stores
from workers.experiments import with_experiments
from workers.settings import Settings


async def in_use(settings: Settings, engine: Engine) -> dict[str, Any]:
    """Return what a catalog's reader needs to know of an installation, its agents as reflections have changed them.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
    """
    found = await asyncio.to_thread(installed, settings)
    agents, trials = await ReflectedExperiments(engine).in_use(found["agents"])
    return found | {"agents": agents, "trials": trials}


async def reading_now(settings: Settings, engine: Engine) -> ReadOptions:
    """Return how rows are read that come of others: with the agents in use, tools and experiments as they are now.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    options = await asyncio.to_thread(lambda: with_experiments(reading(settings), engine))
    agents, trials = await ReflectedExperiments(engine).in_use(options.agents or {})
    return options.model_copy(update={"agents": agents, "trials": trials})


def reflections(
    settings: Settings, stores: Stores, policy: PolicyEngine, scanner: SecretScanner, notifier: Notifier
) -> ReflectionActivities:
    """Return the activities that begin and end reflections."""
    transactions = Transactions(stores.engine)

    async def tell(event: AuditEvent) -> None:
        def write(connection: Connection) -> None:
            append(connection, event)

        await transactions.run(write)

    return ReflectionActivities(
        source=RecordedEvidence(stores.engine, stores.artifacts, stores.plans),
        catalogs=InstalledCatalogs(lambda: reading_now(settings, stores.engine), stores.artifacts, policy, tell),
        register=SqlReflectionRegister(stores.engine),
        scanner=scanner,
        artifacts=stores.artifacts,
        experiments=ReflectedExperiments(stores.engine),
        notifier=notifier,
        wanted=settings.reflection_evidence,
    )
