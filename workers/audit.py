"""The part of the composition root that names the backends of the audit log."""

from sqlalchemy import Engine

from activities.audit.checkpoints import Checkpointer
from activities.audit.service import AuditLog
from workers.provenance import key_file
from workers.settings import Settings


def open_checkpointer(settings: Settings, engine: Engine) -> Checkpointer:
    """Return what signs the audit log of an installation.

    Raises:
        SigningKeyUnusable: The file of the signing key cannot be used.
    """
    return Checkpointer(engine, key_file(settings), settings.audit_anchor)


def open_audit(settings: Settings, engine: Engine) -> AuditLog:
    """Return the audit log of an installation.

    Raises:
        SigningKeyUnusable: The file of the signing key cannot be used.
    """
    return AuditLog(engine, key_file(settings), open_checkpointer(settings, engine))
