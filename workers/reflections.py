"""Putting together what reflections work with."""

from sqlalchemy import Connection

from activities.audit.contracts import AuditEvent
from activities.audit.log import append
from activities.experiments.register import SqlExperiments
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
from workers.agents import in_use
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

    async def options() -> ReadOptions:
        known = await in_use(settings, stores.engine)
        experiments = await SqlExperiments(stores.engine).variants()
        return ReadOptions(experiments=experiments).model_copy(update=known)

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
