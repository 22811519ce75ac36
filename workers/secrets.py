"""The part of the composition root that names the stores of secrets."""

from sqlalchemy import Engine

from activities.secrets.contracts import SecretStore, SecretsUnusable
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.keeping import SecretKeeping, terms_of
from activities.secrets.master_key import MasterKey
from activities.secrets.references import Remembering
from activities.secrets.rotation import OwnKeys
from temporal.redaction import PROCESS
from workers.audit import open_audit
from workers.settings import Settings
from workers.vault import keep_quiet, logins_of, open_vault


def open_secrets(settings: Settings) -> SecretStore:
    """Return where this installation keeps its secrets.

    Raises:
        SecretsUnusable: The settings of the server do not fit together; no message holds a value.
    """
    keep_quiet(settings)
    logins = logins_of(settings)
    if not settings.vault_url:
        if logins:
            # Else secrets meant for a server would quietly go into a file.
            raise SecretsUnusable(f"{' and '.join(logins)} is set and PRISM_VAULT_URL is not")
        return Remembering(EncryptedFile(settings.secrets_file, MasterKey(settings.secrets_key)), PROCESS)
    return Remembering(open_vault(settings), PROCESS)


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
