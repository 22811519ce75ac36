"""The part of the composition root that names the stores of secrets."""

from pydantic import SecretStr
from sqlalchemy import Engine

from activities.secrets.contracts import SecretStore, SecretsUnusable
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.keeping import SecretKeeping, terms_of
from activities.secrets.master_key import MasterKey
from activities.secrets.references import Remembering
from activities.secrets.rotation import OwnKeys
from temporal.redaction import PROCESS
from temporal.secret_reference import is_reference
from workers.audit import open_audit
from workers.settings import Settings


def open_secrets(settings: Settings) -> SecretStore:
    """Return where this installation keeps its secrets.

    Raises:
        SecretsUnusable: The settings of the server do not fit together; no message holds a value.
    """
    _keep_quiet(settings)
    logins = _logins(settings)
    if not settings.vault_url:
        if logins:
            # Else secrets meant for a server would quietly go into a file.
            raise SecretsUnusable(f"{' and '.join(logins)} is set and PRISM_VAULT_URL is not")
        return Remembering(EncryptedFile(settings.secrets_file, MasterKey(settings.secrets_key)), PROCESS)
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
    return Remembering(Vault(address), PROCESS)


def open_keeping(settings: Settings, engine: Engine) -> SecretKeeping:
    """Return what looks after the secrets of an installation.

    Args:
        settings: Where they are, and how old they may become.
        engine: The records database, for the audit log.

    Raises:
        SecretsUnusable: See :func:`open_secrets`.
        SigningKeyUnusable: The file of the signing key cannot be used.
    """
    terms = terms_of(settings.secrets_rotation_days, settings.secrets_warning_days, settings.secrets_overlap_days)
    return SecretKeeping(open_secrets(settings), open_audit(settings, engine), terms)


def own_keys(settings: Settings) -> OwnKeys | None:
    """Return the keys that encrypt payloads, ``None`` where nothing is encrypted."""
    if settings.encryption == "off":
        return None
    return OwnKeys(path=settings.encryption_keys, ours=settings.encryption_key_file is None)


def _logins(settings: Settings) -> list[str]:
    """Return the settings that each name a way into the server."""
    if bool(settings.vault_role_id) != bool(settings.vault_secret_id):
        raise SecretsUnusable("PRISM_VAULT_ROLE_ID and PRISM_VAULT_SECRET_ID go together: one of them is missing")
    given = {
        "PRISM_VAULT_TOKEN": settings.vault_token,
        "PRISM_VAULT_ROLE_ID": settings.vault_role_id,
        "PRISM_VAULT_KUBERNETES_ROLE": settings.vault_kubernetes_role,
    }
    return [name for name, value in given.items() if value]


def _keep_quiet(settings: Settings) -> None:
    """Have what settings hold themselves redacted too."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr) and not is_reference(value.get_secret_value()):
            PROCESS.remember(value)
