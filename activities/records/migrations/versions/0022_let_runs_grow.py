"""Let runs grow: rows that a row planned, and the plan with them."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("grown", sa.String(), nullable=True))
    op.add_column("rows", sa.Column("planned_by", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("rows", "planned_by")
    op.drop_column("runs", "grown")
