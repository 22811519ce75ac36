"""Composition of what leaves the house: rules, channels with their secrets, and the workflow that drives them."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from os import environ
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from activities.identity.access import open_secret
from activities.notifications.contracts import Channel
from activities.notifications.delivery import BATCH, DeliveryActivities
from activities.notifications.outbox import SqlOutbox
from activities.notifications.rules import ChannelRule, Rules
from activities.notifications.rules_file import InvalidRules, load_rules
from activities.notifications.webhook import WebhookChannel
from activities.reviews.links import DecisionLinks
from activities.secrets.contracts import SecretStore, SecretsUnusable
from activities.secrets.overlap import StoredSigning
from activities.secrets.references import referred, resolved
from temporal.names import DELIVERY_WORKFLOW_ID, TaskQueue
from temporal.secret_reference import is_reference
from workers.compose import Stores
from workers.policy import open_policy
from workers.secrets import open_secrets
from workers.settings import Settings
from workflows.delivery import DeliveryLoop, DeliveryWorkflow

# One for each message of a batch, so that none waits for a service that hangs.
THREADS = BATCH


def notification_rules(settings: Settings) -> Rules | None:
    """Return the rules of an installation, ``None`` where it has none.

    Raises:
        InvalidRules: The file cannot be used.
    """
    return load_rules(settings.notification_rules) if settings.notification_rules else None


async def delivery_activities(settings: Settings, stores: Stores, stack: AsyncExitStack) -> list[Callable[..., Any]]:
    """Return the activities of the notifications queue.

    Raises:
        InvalidRules: The rules cannot be used, or name what the environment does not hold.
    """
    rules = notification_rules(settings) or Rules()
    secrets = ChannelSecrets(open_secrets(settings), timedelta(days=settings.secrets_overlap_days))
    channels = await open_channels(rules, environ, str(settings.notification_rules), stack, secrets)
    outbox = SqlOutbox(stores.engine, links=decision_links(settings))
    policy = await open_policy(settings, stack, stores.artifacts)
    return [DeliveryActivities(outbox, rules, channels, policy=policy).deliver_due]


def decision_links(settings: Settings) -> DecisionLinks:
    """Return what makes and reads one-click links.

    Raises:
        SecretUnusable: The secret that signs them cannot be used.
    """
    return DecisionLinks(open_secret(settings.identity_secret), settings.console_url)


@dataclass(frozen=True)
class ChannelSecrets:
    """Where channels find what their variables refer to.

    Args:
        store: Where secrets are.
        overlap: For how long a replaced secret goes on signing.
    """

    store: SecretStore
    overlap: timedelta


async def open_channels(
    rules: Rules, environment: Mapping[str, str], source: str, stack: AsyncExitStack, secrets: ChannelSecrets
) -> dict[str, Channel]:
    """Return the channels of the rules, with their secrets; their lifetimes are owned by the stack.

    Args:
        rules: What they are.
        environment: Where their secrets are; only this process needs to have them.
        source: What people call the rules.
        stack: Closes them.
        secrets: Where the secrets are that variables refer to.

    Raises:
        InvalidRules: Variables are missing, hold no URL or refer to nothing; every fault is told, none of what they
            hold.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")
    # A service that hangs must not keep the process: what was under way is tried again under the same key.
    stack.callback(threads.shutdown, wait=False, cancel_futures=True)
    channels: dict[str, Channel] = {}
    faults: list[str] = []
    for name, rule in rules.channels.items():
        missing = [
            variable for variable in (rule.url_env, rule.secret_env) if variable and not environment.get(variable)
        ]
        if missing:
            faults.append(f"channels.{name}: the environment variable {' and '.join(missing)} is not set")
            continue
        try:
            channels[name] = await _open(rule, environment, threads, stack, secrets)
        except SecretsUnusable as error:
            faults.append(f"channels.{name}: {error.message}")
        except ValueError as error:
            faults.append(f"channels.{name}.{'url_env' if rule.url_env else 'url'}: {error}")
    if faults:
        raise InvalidRules(source, faults)
    return channels


async def _open(
    rule: ChannelRule,
    environment: Mapping[str, str],
    threads: ThreadPoolExecutor,
    stack: AsyncExitStack,
    secrets: ChannelSecrets,
) -> Channel:
    variable = rule.url_env or "url"
    url = await resolved(rule.url or SecretStr(environment[variable]), variable, secrets.store)
    assert url is not None  # noqa: S101 -- a value resolves to a value
    if rule.kind == "apprise":
        # Takes a fifth of a second to import; most installations have no such channel.
        from activities.notifications.apprise import AppriseChannel  # noqa: PLC0415

        return AppriseChannel(url, threads)
    variable = rule.secret_env or ""
    secret = SecretStr(environment[variable])
    if not is_reference(secret.get_secret_value()):
        return await stack.enter_async_context(WebhookChannel(url, secret))
    signing = StoredSigning(referred(secret, variable), secrets.store, secrets.overlap)
    # Now, not at the first message: what is missing is told when the worker starts.
    await signing.secrets()
    return await stack.enter_async_context(WebhookChannel(url, signing))


async def start_delivery(client: Client) -> WorkflowHandle[DeliveryWorkflow, DeliveryLoop]:
    """Start the workflow that delivers, unless it runs already, and return its handle."""
    return await client.start_workflow(
        DeliveryWorkflow.run,
        DeliveryLoop(),
        id=DELIVERY_WORKFLOW_ID,
        task_queue=TaskQueue.WORKFLOWS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
