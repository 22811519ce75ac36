"""What this installation is made of: queues and who serves them, policies in force, settings, spending."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from pydantic import SecretStr

from activities.llm.described import models_of
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.folder import PolicyFolder, admission_only, read_policies
from activities.records.database import timestamp
from api import caching
from api.addresses import without_password
from api.services import Services
from api.system_models import DayShare, PolicyView, Setting, Spend, System
from temporal.names import TaskQueue
from temporal.queue_state import QueueState
from temporal.task_queues import queue_states
from workers.policy import policy_folder
from workers.settings import Settings

SERVES: Final = {
    TaskQueue.WORKFLOWS: "workflows, and the steps that take milliseconds",
    TaskQueue.MODEL: "model calls",
    TaskQueue.SANDBOX: "sandboxed code",
    TaskQueue.SCANS: "scans of code",
    TaskQueue.NOTIFICATIONS: "notifications on their way out",
}
_TITLES: Final = {
    "admission": "What may run, what a person has to see, what may leave",
    "authz": "Who may do what",
}
_UNSET: Final = ("", None, False)


async def system(services: Services, *, with_settings: bool) -> System:
    """Return what an administrator, or whoever wonders why nothing moves, wants to know.

    Args:
        services: What to look at.
        with_settings: Whether settings are told; never the secrets among them.
    """
    now = datetime.now(UTC)
    since = [timestamp(now - timedelta(days=days)) for days in (1, 7, 30)]
    return System(
        version=version("prism-console"),
        temporal=services.settings.temporal.target,
        namespace=services.settings.temporal_namespace,
        queues=[queue for queue in await queue_states(services.temporal) if _needed(services.settings, queue)],
        policies=policies_in_force(services),
        models=await models_of(services.settings.socket),
        local_shares=[
            DayShare(day=day, share=one.share, **one.model_dump()) for day, one in await services.shares.days()
        ],
        spend=[
            Spend(model=model, rows=rows, day=day, week=week, month=month)
            for model, rows, day, week, month in await services.queries.spend(since)
        ],
        cache=await caching.cache(services),
        settings=shown_settings(services.settings) if with_settings else [],
    )


def _needed(settings: Settings, queue: QueueState) -> bool:
    """Nothing leaves the house without rules: then nobody has to serve that queue."""
    in_use = bool(queue.pollers or queue.backlog or settings.notification_rules)
    return queue.queue != TaskQueue.NOTIFICATIONS or in_use


def policies_in_force(services: Services) -> list[PolicyView]:
    """Return the policies that this installation decides by; who may do what is always decided in process."""
    access = services.access_policy.live
    if isinstance(services.policy, EmbeddedPolicy):
        running, engine, fault = services.policy.live.current().policies, "embedded", services.policy.live.fault
    else:
        # What the server has is its own business; these are the files that its bundle is made of.
        running = read_policies(policy_folder(services.settings), admission_only)
        engine, fault = without_password(services.settings.opa_url), ""
    return [
        _policy_view("admission", running, engine, fault),
        _policy_view("authz", access.current().policies, "embedded", access.fault),
    ]


def _policy_view(name: str, policies: PolicyFolder, engine: str, fault: str) -> PolicyView:
    return PolicyView(
        name=name,
        title=_TITLES[name],
        engine=engine,
        digest=policies.digest,
        fault=fault,
        files={str(path): data.decode() for path, data in policies.files.items()},
    )


def shown_settings(settings: Settings) -> list[Setting]:
    """Return every setting as its environment variable, without secrets."""
    shown = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        chosen = name in settings.model_fields_set and value != field.default
        shown.append(Setting(name=f"PRISM_{name.upper()}", value=_told(value), chosen=chosen))
    return shown


def _told(value: Any) -> str:  # noqa: ANN401 -- whatever a setting is
    if isinstance(value, SecretStr):
        return "set"
    if value in _UNSET:
        return "off" if value is False else ""
    text = "on" if value is True else str(value)
    return without_password(text) if "://" in text else text
