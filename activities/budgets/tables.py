"""Tables of the budgets, in the records database. Amounts are whole millionths of a dollar: their sums are exact."""

from sqlalchemy import BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

_BIG = BigInteger().with_variant(Integer, "sqlite")


def _amount() -> Column[int]:
    return Column(BigInteger, nullable=False, default=0)


class PeriodRow(SQLModel, table=True):
    """What was spent of a budget within a period.

    ``crossed_run`` and ``crossed_row`` are whose call crossed the share at which people are warned.
    """

    __tablename__ = "budget_periods"

    budget: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    spent: int = Field(default=0, sa_column=_amount())
    reserved: int = Field(default=0, sa_column=_amount())
    allowed: int = Field(default=0, sa_column=_amount())
    crossed_run: str | None = None
    crossed_row: str | None = None
    warned_at: str | None = None


class ReservationRow(SQLModel, table=True):
    """What is set aside for a call under way; one that was cut off may have been paid, and stays."""

    __tablename__ = "budget_reservations"

    key: str = Field(primary_key=True)
    budget: str = Field(primary_key=True)
    period: str
    amount: int = Field(sa_column=_amount())


class StopRow(SQLModel, table=True):
    """A row that was stopped by a budget. ``paused`` says that its run was paused for it."""

    __tablename__ = "budget_stops"
    __table_args__ = (Index("ix_budget_stops_freed", "freed_at", "budget", "period"),)

    id: int | None = Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))
    key: str = Field(index=True)
    run: str
    row: str
    budget: str
    period: str
    needed: int = Field(sa_column=_amount())
    since: str
    paused: bool = False
    told_at: str | None = None
    freed_at: str | None = None


class AllowanceRow(SQLModel, table=True):
    """More of a budget that a person allowed; ``key`` makes a repeated request one."""

    __tablename__ = "budget_allowances"

    key: str = Field(primary_key=True)
    budget: str
    period: str
    amount: int = Field(sa_column=_amount())
    by: str
    comment: str = Field(default="", sa_column=Column(Text, nullable=False, default=""))
    at: str
