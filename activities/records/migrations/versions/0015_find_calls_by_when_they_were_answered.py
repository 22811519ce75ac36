"""Find the calls of a period without looking at all of them: usage is told by day."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_calls_answered_at", "calls", ["answered_at"])


def downgrade() -> None:
    op.drop_index("ix_calls_answered_at", "calls")
