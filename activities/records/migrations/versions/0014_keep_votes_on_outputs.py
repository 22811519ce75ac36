"""Keep votes on outputs, and which agent and prompt version a row is of, so that quality can be told apart by them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_PLACE = ("run", "row", "output", "by")
_TOLD = ("rating", "origin", "at", "board", "agent", "model", "prompt_version")


def upgrade() -> None:
    op.create_table(
        "feedback",
        *(sa.Column(name, sa.String(), nullable=False) for name in (*_PLACE, *_TOLD)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("better", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*_PLACE),
    )
    op.create_index("ix_feedback_at", "feedback", ["at"])
    for name in ("agent", "prompt_version"):
        op.add_column("rows", sa.Column(name, sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("prompt_version", "agent"):
        op.drop_column("rows", name)
    op.drop_table("feedback")
