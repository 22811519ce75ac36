"""Tables of the routing, in the records database."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel


def _sum() -> Column[int]:
    return Column(BigInteger, nullable=False, default=0)


class RouteRow(SQLModel, table=True):
    """Who writes a row, chosen once per key. ``calls`` and ``tokens`` are what was expected of it then.

    ``under_way`` says that none of its calls is counted yet.
    """

    __tablename__ = "routes"
    __table_args__ = (
        Index("ix_routes_under_way", "run", "under_way"),
        Index("ix_routes_run", "run", "at"),
        Index("ix_routes_at", "at"),
    )

    key: str = Field(primary_key=True)
    run: str
    row: str
    route: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    local: bool
    suits: float | None = None
    calls: int = 1
    tokens: int = Field(default=0, sa_column=_sum())
    under_way: bool = True
    at: str


class ShareRow(SQLModel, table=True):
    """What the calls of a run that write its rows came to on one day, and how many rows were chosen for.

    ``open_rows`` are those of them that a local model could be given.
    """

    __tablename__ = "local_shares"
    __table_args__ = (Index("ix_local_shares_day", "day"),)

    run: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    rows: int = 0
    open_rows: int = 0
    calls: int = 0
    local_calls: int = 0
    tokens: int = Field(default=0, sa_column=_sum())
    local_tokens: int = Field(default=0, sa_column=_sum())


class BoardShareRow(SQLModel, table=True):
    """What of the calls of ``ShareRow`` were those of a board's rows."""

    __tablename__ = "board_shares"
    __table_args__ = (Index("ix_board_shares_day", "day"),)

    run: str = Field(primary_key=True)
    board: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    calls: int = 0
    local_calls: int = 0
    tokens: int = Field(default=0, sa_column=_sum())
    local_tokens: int = Field(default=0, sa_column=_sum())
