"""Keep which files a row's program left, for whoever looks at the row and for rows that depend on it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rows", sa.Column("files", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("rows", "files")
