"""Keep which version of the policy a run is pinned to, so that a retry keeps to it too."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("policy", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "policy")
