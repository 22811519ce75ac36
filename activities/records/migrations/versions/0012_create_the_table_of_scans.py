"""Create the table of scans of folders, so that a scan is compared with the one before."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scans",
        sa.Column("scan", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("finished_at", sa.String(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("scanners", sa.JSON(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("report", sa.String(), nullable=True),
        sa.Column("sarif", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("scan"),
    )
    op.create_index("ix_scans_folder", "scans", ["folder"])
    op.create_index("ix_scans_started_at", "scans", ["started_at"])


def downgrade() -> None:
    op.drop_table("scans")
