"""Tables of experiments in the records database."""

from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel


class ExperimentRow(SQLModel, table=True):
    """An experiment. ``judged`` numbers the outcomes; raising it locks the row, so that they come in order."""

    __tablename__ = "experiments"

    name: str = Field(primary_key=True)
    spec: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    status: str
    adopted: str = ""
    created_by: str = ""
    created_at: str = Field(index=True)
    ended_at: str | None = None
    judged: int = 0
    winner: str = ""
    decided_at: str | None = None


class AssignmentRow(SQLModel, table=True):
    """The variant of a unit, which stays. ``good`` is what the first vote said of its output, and stays as well.

    ``position`` is the outcome's number among those of the experiment.
    """

    __tablename__ = "assignments"
    __table_args__ = (Index("ix_assignments_position", "experiment", "position"),)

    experiment: str = Field(primary_key=True)
    unit: str = Field(primary_key=True)
    variant: str
    run: str
    row: str
    at: str
    good: bool | None = None
    position: int | None = None
    judged_at: str | None = None
