"""The secrets of rows: read where a program starts, and written down who read them."""

from typing import Protocol

from pydantic import SecretStr

from activities.audit.contracts import AuditEvent, AuditKind
from activities.secrets.contracts import SecretsForbidden, SecretStore
from activities.secrets.references import read, referred
from temporal.contract import StepRef
from temporal.secret_reference import ROW_FOLDER


class Audit(Protocol):
    """Where it is written down."""

    async def write(self, *events: AuditEvent) -> None:
        """Write events."""
        ...


class RowSecrets:
    """Reads what rows refer to.

    Args:
        store: Where secrets are.
        audit: Where each reading is written down, before a program gets the value.
    """

    def __init__(self, store: SecretStore, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    async def environment(self, step: StepRef, references: dict[str, str]) -> dict[str, SecretStr]:
        """Return values by environment variable.

        Args:
            step: Who reads.
            references: By environment variable.

        Raises:
            SecretsForbidden: Rows may not refer to this.
            SecretsUnusable: The secret or its field is not there.
            SecretsUnavailable: The store does not answer.
        """
        row = f"row {step.row!r}, variable"
        wanted = {name: referred(SecretStr(text), f"{row} {name}") for name, text in references.items()}
        for variable, reference in wanted.items():
            if not reference.for_rows:
                raise SecretsForbidden(f"{row} {variable}: rows may refer to secrets below {ROW_FOLDER} only")
        values = {name: await read(reference, f"{row} {name}", self._store) for name, reference in wanted.items()}
        await self._audit.write(
            *(
                AuditEvent(
                    kind=AuditKind.SECRET_READ,
                    actor=f"run/{step.run}/row/{step.row}",
                    subject=f"secret/{name}",
                    key=f"{step.key}/secret/{name}",
                )
                for name in sorted({reference.name for reference in wanted.values()})
            )
        )
        return values
