"""Tables of the reviews, in the records database."""

from typing import Any

from sqlalchemy import JSON, Column, Index, Text
from sqlmodel import Field, SQLModel


class ReviewRow(SQLModel, table=True):
    """A round of a row's review as it stands."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_state", "state", "due_at", "opened_at"),)

    run: str = Field(primary_key=True)
    row: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    round: int = Field(primary_key=True)
    state: str
    sequence: int
    reasons: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))
    terms: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict))
    approvals: int = 0
    claimed_by: str = ""
    escalated: bool = False
    overdue: bool = False
    output_digest: str | None = None
    opened_at: str
    due_at: str | None = None
    decided_at: str | None = None
    decided_by: str = ""
    comment: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    entries: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, default=list))


class ReviewerRow(SQLModel, table=True):
    """Somebody who may decide on a round: a person, ``role:<name>``, or ``*`` for anyone who may review."""

    __tablename__ = "reviewers"

    reviewer: str = Field(primary_key=True)
    run: str = Field(primary_key=True)
    row: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    round: int = Field(primary_key=True)


class UsedLinkRow(SQLModel, table=True):
    """A one-click link that was used; of token and choice only digests are kept."""

    __tablename__ = "used_links"

    token: str = Field(primary_key=True)
    choice: str
    used_at: str
