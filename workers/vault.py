"""The server that keeps secrets, and signs: how an installation logs in there."""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from activities.secrets.contracts import SecretsUnusable
from temporal.redaction import PROCESS
from temporal.secret_reference import is_reference
from workers.settings import Settings

if TYPE_CHECKING:
    from activities.secrets.vault import Vault


def open_vault(settings: Settings) -> "Vault":
    """Return the server that keeps secrets, and signs where its transit engine does.

    Raises:
        SecretsUnusable: The settings of the server do not fit together; no message holds a value.
    """
    keep_quiet(settings)
    logins = logins_of(settings)
    # The server's client is loaded by who has a server.
    from activities.secrets.vault import (  # noqa: PLC0415 -- see above
        AppRoleLogin,
        KubernetesLogin,
        TokenLogin,
        Vault,
        VaultAddress,
    )

    if not settings.vault_url.startswith(("https://", "http://")) or "@" in settings.vault_url:
        raise SecretsUnusable("PRISM_VAULT_URL is no address of the form https://host:port")
    if settings.vault_ca and not settings.vault_ca.is_file():
        raise SecretsUnusable(f"PRISM_VAULT_CA: there is no file {settings.vault_ca}")
    if len(logins) != 1:
        raise SecretsUnusable(
            "PRISM_VAULT_URL needs one way in: PRISM_VAULT_TOKEN, or PRISM_VAULT_ROLE_ID with PRISM_VAULT_SECRET_ID, "
            f"or PRISM_VAULT_KUBERNETES_ROLE; {len(logins)} are set"
        )
    login: TokenLogin | AppRoleLogin | KubernetesLogin
    if settings.vault_token:
        login = TokenLogin(token=settings.vault_token)
    elif settings.vault_secret_id:
        login = AppRoleLogin(role_id=settings.vault_role_id, secret_id=settings.vault_secret_id)
    else:
        login = KubernetesLogin(role=settings.vault_kubernetes_role)
    address = VaultAddress(
        url=settings.vault_url,
        login=login,
        mount=settings.vault_mount,
        namespace=settings.vault_namespace,
        ca=settings.vault_ca,
    )
    return Vault(address)


def logins_of(settings: Settings) -> list[str]:
    """Return the settings that each name a way into the server."""
    if bool(settings.vault_role_id) != bool(settings.vault_secret_id):
        raise SecretsUnusable("PRISM_VAULT_ROLE_ID and PRISM_VAULT_SECRET_ID go together: one of them is missing")
    given = {
        "PRISM_VAULT_TOKEN": settings.vault_token,
        "PRISM_VAULT_ROLE_ID": settings.vault_role_id,
        "PRISM_VAULT_KUBERNETES_ROLE": settings.vault_kubernetes_role,
    }
    return [name for name, value in given.items() if value]


def keep_quiet(settings: Settings) -> None:
    """Have what settings hold themselves redacted too."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr) and not is_reference(value.get_secret_value()):
            PROCESS.remember(value)
