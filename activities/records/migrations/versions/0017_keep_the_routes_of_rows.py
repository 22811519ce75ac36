"""Keep who was chosen to write a row, and what local models took of the calls that write rows."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "routes",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("suits", sa.Float(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("under_way", sa.Boolean(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_routes_under_way", "routes", ["run", "under_way"])
    op.create_index("ix_routes_run", "routes", ["run", "at"])
    op.create_index("ix_routes_at", "routes", ["at"])
    op.create_table(
        "local_shares",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("open_rows", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("local_calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("local_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "day"),
    )
    op.create_index("ix_local_shares_day", "local_shares", ["day"])


def downgrade() -> None:
    op.drop_table("local_shares")
    op.drop_table("routes")
