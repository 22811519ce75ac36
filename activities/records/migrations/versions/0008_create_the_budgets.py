"""Create the budgets, so that what calls cost is counted before they are made."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "budget_periods",
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), nullable=False),
        sa.Column("crossed_run", sa.String(), nullable=True),
        sa.Column("crossed_row", sa.String(), nullable=True),
        sa.Column("warned_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("budget", "period"),
    )
    op.create_table(
        "budget_reservations",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "budget"),
    )
    op.create_table(
        "budget_stops",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("needed", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.String(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.String(), nullable=True),
        sa.Column("freed_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("budget_stops", schema=None) as batch_op:
        batch_op.create_index("ix_budget_stops_freed", ["freed_at", "budget", "period"], unique=False)
        batch_op.create_index(batch_op.f("ix_budget_stops_key"), ["key"], unique=False)
    op.create_table(
        "budget_allowances",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("budget", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("budget")
    for table in ("budget_allowances", "budget_stops", "budget_reservations", "budget_periods"):
        op.drop_table(table)
