"""The table of the seals of runs, in the records database."""

from sqlmodel import Field, SQLModel


class RunSealRow(SQLModel, table=True):
    """The seal of one end of a run; ``sequence`` is that of the change by which the run ended."""

    __tablename__ = "run_seals"

    run: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int
    envelope: str
    keyid: str
    root: str
    rows: int
    sealed: int
    leaves: str
    at: str
