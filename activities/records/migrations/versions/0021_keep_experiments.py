"""Keep experiments, the variants that units got, and which variant a row and a vote are of."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TRIAL = {"rows": ("experiment", "variant", "unit"), "feedback": ("experiment", "variant")}


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("status", "adopted", "created_by", "created_at")),
        sa.Column("ended_at", sa.String(), nullable=True),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("winner", sa.String(), nullable=False),
        sa.Column("decided_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_experiments_created_at", "experiments", ["created_at"])
    op.create_table(
        "assignments",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("experiment", "unit", "variant", "run", "row", "at")
        ),
        sa.Column("good", sa.Boolean(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("judged_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("experiment", "unit"),
    )
    op.create_index("ix_assignments_position", "assignments", ["experiment", "position"])
    for table, names in _TRIAL.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    for table, names in _TRIAL.items():
        for name in names:
            op.drop_column(table, name)
    op.drop_table("assignments")
    op.drop_table("experiments")
