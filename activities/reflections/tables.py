"""The tables of reflections and of the versions of prompts that come of them, in the records database."""

from typing import Any

from sqlalchemy import JSON, Column, Text
from sqlmodel import Field, SQLModel


class ReflectionRow(SQLModel, table=True):
    """A reflection; ``definition`` is the agent as it was then."""

    __tablename__ = "reflections"

    reflection: str = Field(primary_key=True)
    agent: str = Field(index=True)
    board: str = ""
    by: str = ""
    state: str
    message: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    definition: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    evidence: int = 0
    wanted: int
    left_out: int = 0
    at: str = Field(index=True)
    ended_at: str | None = None


class PromptVersionRow(SQLModel, table=True):
    """A definition of an agent that a person approved."""

    __tablename__ = "prompt_versions"

    digest: str = Field(primary_key=True)
    reflection: str = Field(primary_key=True)
    agent: str = Field(index=True)
    definition: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    parent: str
    approved_by: str = ""
    experiment: str = ""
    at: str
