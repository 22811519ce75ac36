"""Keep vectors of answered prompts, and which similar requests a row's answers are of."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answer_vectors",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "prompt"),
    )
    op.create_index("ix_answer_vectors_scope_created", "answer_vectors", ["scope", "created_at"])
    op.create_index("ix_answer_vectors_until", "answer_vectors", ["until"])
    op.add_column("rows", sa.Column("similar", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("rows", "similar")
    op.drop_table("answer_vectors")
