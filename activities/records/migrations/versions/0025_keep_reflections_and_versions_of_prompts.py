"""Keep reflections on agents, and the versions of their prompts that came of them."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reflections",
        sa.Column("reflection", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("board", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("definition", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("evidence", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("ended_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("reflection"),
    )
    op.create_index("ix_reflections_agent", "reflections", ["agent"])
    op.create_index("ix_reflections_at", "reflections", ["at"])
    op.create_table(
        "prompt_versions",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("reflection", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=False),
        sa.Column("experiment", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "reflection"),
    )
    op.create_index("ix_prompt_versions_agent", "prompt_versions", ["agent"])


def downgrade() -> None:
    op.drop_table("prompt_versions")
    op.drop_table("reflections")
