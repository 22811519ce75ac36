"""The table of votes on outputs, in the records database."""

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel


class FeedbackRow(SQLModel, table=True):
    """One person's vote on one output. What made the output stands here too: a row that runs again may change it."""

    __tablename__ = "feedback"
    __table_args__ = (Index("ix_feedback_at", "at"),)

    run: str = Field(primary_key=True)
    row: str = Field(primary_key=True)
    output: str = Field(primary_key=True)
    by: str = Field(primary_key=True)
    rating: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    better: str | None = None
    origin: str
    at: str
    attempt: int = 1
    board: str = ""
    agent: str = ""
    model: str = ""
    prompt_version: str = ""
    experiment: str = Field(default="", sa_column_kwargs={"server_default": ""})
    variant: str = Field(default="", sa_column_kwargs={"server_default": ""})


class DatasetRow(SQLModel, table=True):
    """A data set of preference pairs; ``digest`` is its artifact."""

    __tablename__ = "datasets"

    digest: str = Field(primary_key=True)
    pairs: int
    at: str
