"""What the routes work with; assembled once per process."""

import functools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from activities.audit.service import AuditLog
from activities.budgets.register import SqlBudgetRegister
from activities.budgets.rules import BudgetRules
from activities.budgets.rules_file import load_budgets
from activities.experiments.register import SqlExperiments
from activities.identity.authentication import Identity
from activities.identity.oidc import OidcProvider
from activities.notifications.inbox_reading import SqlInbox
from activities.policy.access import EmbeddedAccessPolicy
from activities.policy.engine import PolicyEngine
from activities.records.queries import RecordQueries
from activities.reviews.links import DecisionLinks, SqlUsedLinks
from activities.reviews.register import SqlReviewRegister
from activities.reviews.rules import ApprovalRules
from activities.reviews.rules_file import load_approval_rules
from activities.routing.register import SqlLocalShares
from activities.scans.contracts import SecretScanner
from activities.secrets.keeping import SecretKeeping
from activities.tools.tools_file import load_tools
from temporal.client import connect
from workers.compose import Stores, open_stores
from workers.identity import open_access_policy, open_identity, open_oidc
from workers.models import keyless_models
from workers.notifications import decision_links
from workers.policy import open_policy
from workers.scans import open_secret_scanner
from workers.secrets import open_keeping
from workers.settings import Settings
from workers.terminations import Terminations


@dataclass(frozen=True)
class Services:
    """Stores, the reading side of the records, and a Temporal client that connects when first used.

    Args:
        policy: Decides which catalogs may start.
        scanner: Finds secrets in what people write.
        approvals: Who has which role besides those of their account.
        budget_rules: What model calls may cost.
    """

    settings: Settings
    stores: Stores
    queries: RecordQueries
    temporal: Client
    policy: PolicyEngine
    scanner: SecretScanner
    approvals: ApprovalRules = field(default_factory=ApprovalRules)
    budget_rules: BudgetRules = field(default_factory=BudgetRules)

    @functools.cached_property
    def register(self) -> SqlReviewRegister:
        """What waits for whom."""
        return SqlReviewRegister(self.stores.engine)

    @property
    def terminations(self) -> Terminations:
        """What finds runs that were terminated from outside."""
        return Terminations(self.temporal, self.stores.keeper, self.queries)

    @functools.cached_property
    def inbox(self) -> SqlInbox:
        """What was told to whom."""
        return SqlInbox(self.stores.engine)

    @functools.cached_property
    def experiments(self) -> SqlExperiments:
        """What is compared."""
        return SqlExperiments(self.stores.engine)

    @functools.cached_property
    def budgets(self) -> SqlBudgetRegister:
        """What may be spent, and who waits for more."""
        return SqlBudgetRegister(self.stores.engine, self.budget_rules)

    @functools.cached_property
    def shares(self) -> SqlLocalShares:
        """What local models take of the calls."""
        return SqlLocalShares(self.stores.engine, keyless_models(self.settings))

    @functools.cached_property
    def links(self) -> DecisionLinks:
        """What reads one-click links."""
        return decision_links(self.settings)

    @functools.cached_property
    def used_links(self) -> SqlUsedLinks:
        """Which of them were used."""
        return SqlUsedLinks(self.stores.engine)

    @functools.cached_property
    def identity(self) -> Identity:
        """Who there is."""
        return open_identity(self.settings, self.stores.engine)

    @property
    def audit(self) -> AuditLog:
        """Who did and decided what."""
        return self.identity.audit

    @functools.cached_property
    def secrets(self) -> SecretKeeping:
        """What this installation keeps secret; opened by the first who asks, so that nobody else needs the store."""
        return open_keeping(self.settings, self.stores.engine)

    @functools.cached_property
    def oidc(self) -> OidcProvider | None:
        """Who lets people in besides; ``None`` for nobody."""
        return open_oidc(self.settings)

    @functools.cached_property
    def access_policy(self) -> EmbeddedAccessPolicy:
        """Who may do what."""
        return open_access_policy(self.settings)


async def open_services(settings: Settings, stack: AsyncExitStack) -> Services:
    """Return the services of this process.

    Args:
        settings: The process's settings.
        stack: Owns the connections.

    Raises:
        SecretUnusable: The secret that signs access tokens cannot be used.
        InvalidApprovalRules: The approval rules cannot be used.
        InvalidBudgets: The budgets cannot be used.
        InvalidTools: The tools cannot be used.
        PolicyUnavailable: A policy that ships does not compile.
        InvalidPolicyServer: The address of the policy server cannot be used.
    """
    stores = open_stores(settings)
    services = Services(
        settings=settings,
        stores=stores,
        queries=RecordQueries(stores.engine),
        temporal=await connect(settings.temporal, lazy=True),
        policy=await open_policy(settings, stack, stores.artifacts),
        scanner=open_secret_scanner(stack),
        approvals=load_approval_rules(settings.approval_rules),
        budget_rules=load_budgets(settings.budgets),
    )
    # Catalogs are read with the tools as they are then; a process that finds none that can be used does not start.
    load_tools(settings.tools)
    # Built now: a process that could authenticate or authorise nobody does not start.
    _ = services.identity, services.access_policy
    return services


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Served = Annotated[Services, Depends(_services)]
