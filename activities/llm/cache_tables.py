"""Tables of the answers that gateways share by the records database."""

from typing import Any

from sqlalchemy import JSON, Column
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
