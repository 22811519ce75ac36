"""The part of the composition root that names the backends of identity and authorisation."""

from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Engine

from activities.identity.access import AccessTokens, open_secret
from activities.identity.authentication import Identity
from activities.identity.external import SqlExternalIdentities
from activities.identity.oidc import OidcProvider
from activities.identity.passwords import Passwords
from activities.identity.sessions import SqlSessions
from activities.identity.throttle import LoginThrottle
from activities.identity.tokens import SqlApiTokens, SqlLoginLinks
from activities.identity.users import SqlUsers
from activities.policy.access import EmbeddedAccessPolicy
from activities.records.transactions import Transactions
from workers.audit import open_audit
from workers.policy import policy_folder
from workers.settings import Settings

LOGIN_PAGE: Final = "/login"


def open_identity(settings: Settings, engine: Engine) -> Identity:
    """Return who there is in an installation.

    Args:
        settings: Where its secret is kept, and its own token.
        engine: The records database, at the newest schema.

    Raises:
        SecretUnusable: The file of the secret cannot be used.
        SigningKeyUnusable: The file of the key that signs the audit log cannot be used.
    """
    transactions = Transactions(engine)
    return Identity(
        users=SqlUsers(transactions),
        external=SqlExternalIdentities(transactions),
        sessions=SqlSessions(transactions),
        tokens=SqlApiTokens(transactions),
        links=SqlLoginLinks(transactions),
        passwords=Passwords(),
        access=AccessTokens(open_secret(settings.identity_secret)),
        throttle=LoginThrottle(),
        audit=open_audit(settings, engine),
        service_token=settings.api_token.get_secret_value() if settings.api_token else "",
    )


def open_access_policy(settings: Settings) -> EmbeddedAccessPolicy:
    """Return the policy that decides who may do what.

    Raises:
        PolicyUnavailable: It does not compile.
    """
    return EmbeddedAccessPolicy(policy_folder(settings))


def open_oidc(settings: Settings) -> OidcProvider | None:
    """Return the identity provider of an installation, ``None`` where it has none.

    Raises:
        SecretUnusable: The secret of the installation cannot be used.
    """
    if not settings.oidc_issuer:
        return None
    return OidcProvider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        settings.oidc_roles_claim,
        open_secret(settings.identity_secret),
    )


async def first_link(settings: Settings, engine: Engine) -> str | None:
    """Return the address by which the first administrator logs in; ``None`` where nobody has to, or somebody can.

    Raises:
        SecretUnusable: The secret of the installation cannot be used.
    """
    if settings.auth == "off":
        return None
    secret = await open_identity(settings, engine).first_link()
    return login_link(settings.console_url, secret) if secret else None


def login_link(console_url: str, secret: str) -> str:
    """Return the address of a one-time link."""
    return f"{console_url}{LOGIN_PAGE}?{urlencode({'link': secret})}"
