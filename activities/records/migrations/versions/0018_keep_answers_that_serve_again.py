"""Keep answers that serve again, who asks for one just now, and what rows saved by them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cached_answers",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_cached_answers_until", "cached_answers", ["until"])
    op.create_table(
        "answer_leases",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.add_column("rows", sa.Column("saved_usd", sa.Float(), nullable=False, server_default="0"))
    op.add_column("rows", sa.Column("cached_calls", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("rows", "cached_calls")
    op.drop_column("rows", "saved_usd")
    op.drop_table("answer_leases")
    op.drop_table("cached_answers")
