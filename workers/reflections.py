"""Putting together what reflections work with."""

from sqlalchemy import Connection

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
from workers.agents import installed
from workers.compose import Stores
from workers.settings import Settings


def reflections(
    settings: Settings, stores: Stores, policy: PolicyEngine, scanner: SecretScanner, notifier: Notifier
) -> ReflectionActivities:
    """Return the activities that begin and end reflections."""
    transactions = Transactions(stores.engine)

    async def tell(event: AuditEvent) -> None:
        def write(connection: Connection) -> None:
            append(connection, event)

        await transactions.run(write)

    def options() -> ReadOptions:
        return ReadOptions().model_copy(update=installed(settings))

    return ReflectionActivities(
        source=RecordedEvidence(stores.engine, stores.artifacts, stores.plans),
        catalogs=InstalledCatalogs(options, stores.artifacts, policy, tell),
        register=SqlReflectionRegister(stores.engine),
        scanner=scanner,
        artifacts=stores.artifacts,
        experiments=ReflectedExperiments(stores.engine),
        notifier=notifier,
        wanted=settings.reflection_evidence,
    )
