"""The table of what programs came to that models had run, in the records database."""

from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class ToolResultRow(SQLModel, table=True):
    """What a call of a tool came to, under its idempotency key; ``asked`` is the digest of program and input."""

    __tablename__ = "tool_results"

    key: str = Field(primary_key=True)
    asked: str
    result: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: str
