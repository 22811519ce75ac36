"""Find the newest answers of a model group without looking at all of them: estimates go by how long they were."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_calls_answered", "calls", ["model_group", "answered_at"])


def downgrade() -> None:
    op.drop_index("ix_calls_answered", "calls")
