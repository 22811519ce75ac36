"""Tables of the answers that gateways share by the records database."""

from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel


class CachedAnswerRow(SQLModel, table=True):
    """An answer that serves again until a moment, in seconds since 1970."""

    __tablename__ = "cached_answers"

    key: str = Field(primary_key=True)
    answer: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    until: float = Field(index=True)


class AnswerLeaseRow(SQLModel, table=True):
    """Which gateway asks for an answer just now, until a moment."""

    __tablename__ = "answer_leases"

    key: str = Field(primary_key=True)
    holder: str
    until: float


class AnswerVectorRow(SQLModel, table=True):
    """A prompt whose answer serves similar ones until a moment; ``answer`` is the key of a cached answer."""

    __tablename__ = "answer_vectors"
    __table_args__ = (Index("ix_answer_vectors_scope_created", "scope", "created_at"),)

    scope: str = Field(primary_key=True)
    prompt: str = Field(primary_key=True)
    marks: str = Field(sa_column=Column(Text, nullable=False))
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    answer: str
    run: str
    row: str
    created_at: float
    until: float = Field(index=True)
