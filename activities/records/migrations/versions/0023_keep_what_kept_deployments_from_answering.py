"""Keep whose requests failed and how, what became of circuits, and the local share of each board."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_NEW = ("run", "row", "step", "ordinal", "attempt", "number", "name", "status")


def upgrade() -> None:
    for name in ("run", "row", "step", "name"):
        op.add_column("call_failures", sa.Column(name, sa.String(), nullable=False, server_default=""))
    for name, default in (("ordinal", "0"), ("attempt", "1"), ("number", "1")):
        op.add_column("call_failures", sa.Column(name, sa.Integer(), nullable=False, server_default=default))
    op.add_column("call_failures", sa.Column("status", sa.Integer(), nullable=True))
    op.create_index("ix_call_failures_row", "call_failures", ["run", "row"])
    _place(op.get_bind())
    op.create_table(
        "circuit_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_circuit_changes_at", "circuit_changes", ["at"])
    op.create_table(
        "board_shares",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("local_calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("local_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "board", "day"),
    )
    op.create_index("ix_board_shares_day", "board_shares", ["day"])


def downgrade() -> None:
    op.drop_table("board_shares")
    op.drop_table("circuit_changes")
    op.drop_index("ix_call_failures_row", "call_failures")
    with op.batch_alter_table("call_failures", schema=None) as batch_op:
        for name in _NEW:
            batch_op.drop_column(name)


def _place(connection: Any) -> None:  # noqa: ANN401 -- Alembic's
    """Tell of failures from before whose they were, as far as their keys say it: ``catalog/RUN/row/ROW/STEP/ORDINAL``.

    A key may end with a context, and a row's id may hold slashes: what is a row is asked of the rows.
    """
    failures = sa.table("call_failures", *(sa.column(name) for name in ("id", "key", "run", "row", "step", "ordinal")))
    rows = sa.table("rows", sa.column("run"), sa.column("row"))
    for number, key in connection.execute(sa.select(failures.c.id, failures.c.key)).all():
        run, _, place = key.removeprefix("catalog/").partition("/row/")
        parts = place.split("/")
        for taken in (2, 3):
            row, said = "/".join(parts[:-taken]), parts[-taken : len(parts) - taken + 2]
            known = sa.select(rows.c.row).where(rows.c.run == run, rows.c.row == row)
            if row and said[1].isdecimal() and connection.scalar(known) is not None:
                values = {"run": run, "row": row, "step": said[0], "ordinal": int(said[1])}
                connection.execute(sa.update(failures).where(failures.c.id == number).values(values))
                break
