"""Tables of the audit log, in the records database. Triggers refuse to change or delete what stands in them."""

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

_BIG = BigInteger().with_variant(Integer, "sqlite")


class AuditRow(SQLModel, table=True):
    """An entry. ``detail`` is the canonical JSON that went into the hash."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_kind", "kind", "sequence"),
        Index("ix_audit_entries_actor", "actor", "sequence"),
        Index("ix_audit_entries_at", "at"),
    )

    sequence: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    at: str
    actor: str
    kind: str
    subject: str = ""
    detail: str = Field(sa_column=Column(Text, nullable=False))
    key: str | None = Field(default=None, unique=True)
    previous: str
    hash: str


class AuditHeadRow(SQLModel, table=True):
    """The last entry, in one row that every writer locks: of two at once, one waits."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True)
    sequence: int = Field(sa_column=Column(_BIG, nullable=False))
    hash: str


class AuditCheckpointRow(SQLModel, table=True):
    """A signed checkpoint."""

    __tablename__ = "audit_checkpoints"

    sequence: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    hash: str
    at: str
    keyid: str
    signature: str
