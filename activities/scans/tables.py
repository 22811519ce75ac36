"""The table of scans of folders, in the records database."""

from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class ScanRow(SQLModel, table=True):
    """A scan of a folder."""

    __tablename__ = "scans"

    scan: str = Field(primary_key=True)
    folder: str = Field(index=True)
    state: str
    started_at: str = Field(index=True)
    finished_at: str | None = None
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict))
    scanners: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    new: int = 0
    report: str | None = None
    sarif: str | None = None
