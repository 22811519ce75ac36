"""The part of the composition root that names the stores of secrets, and what settings may refer to in them."""

from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from activities.secrets.contracts import VALUE, SecretNotFound, SecretStore, SecretsUnusable, checked_name
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.master_key import MasterKey
from workers.settings import Settings

if TYPE_CHECKING:
    from activities.secrets.vault import Vault

REFERENCE: Final = "secret://"


def open_secrets(settings: Settings) -> SecretStore:
    """Return where this installation keeps its secrets.

    Raises:
        SecretsUnusable: The way into the server is missing, or there are two.
    """
    if not settings.vault_url:
        return EncryptedFile(settings.secrets_file, MasterKey(settings.secrets_key))
    return open_vault(settings)


def open_vault(settings: Settings) -> "Vault":
    """Return the server that keeps secrets.

    Raises:
        SecretsUnusable: The way into the server is missing, or there are two.
    """
    # The server's client is loaded by who has a server.
    from activities.secrets.vault import (  # noqa: PLC0415 -- see above
        AppRoleLogin,
        KubernetesLogin,
        TokenLogin,
        Vault,
        VaultAddress,
    )

    logins: list[TokenLogin | AppRoleLogin | KubernetesLogin] = []
    if settings.vault_token:
        logins.append(TokenLogin(token=settings.vault_token))
    if settings.vault_role_id and settings.vault_secret_id:
        logins.append(AppRoleLogin(role_id=settings.vault_role_id, secret_id=settings.vault_secret_id))
    if settings.vault_kubernetes_role:
        logins.append(KubernetesLogin(role=settings.vault_kubernetes_role))
    if len(logins) != 1:
        raise SecretsUnusable(
            "PRISM_VAULT_URL needs one way in: PRISM_VAULT_TOKEN, or PRISM_VAULT_ROLE_ID with PRISM_VAULT_SECRET_ID, "
            f"or PRISM_VAULT_KUBERNETES_ROLE; {len(logins)} are set"
        )
    return Vault(
        VaultAddress(
            url=settings.vault_url,
            login=logins[0],
            mount=settings.vault_mount,
            namespace=settings.vault_namespace,
            ca=settings.vault_ca,
        )
    )


async def resolved(value: SecretStr | None, setting: str, store: SecretStore) -> SecretStr | None:
    """Return a setting's value, read from the store where it refers to one: ``secret://name`` or ``secret://name#field``.

    Args:
        value: As it was set.
        setting: What it is called, for errors; a value is in none of them.
        store: Where secrets are.

    Raises:
        SecretsUnusable: The secret or its field is not there.
    """
    text = value.get_secret_value() if value else ""
    if not text.startswith(REFERENCE):
        return value
    name, _, field = text.removeprefix(REFERENCE).partition("#")
    try:
        secret = await store.get(checked_name(name))
    except SecretNotFound:
        raise SecretsUnusable(
            f"{setting} refers to the secret {name!r}, which is not there: prism secrets set {name}"
        ) from None
    found = secret.fields.get(field or VALUE)
    if found is None:
        raise SecretsUnusable(
            f"{setting} refers to the field {field or VALUE!r} of the secret {name!r}, which has no such field"
        )
    return found
