"""Create the register of reviews, so that reviewers find what waits for them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=False),
        sa.Column("escalated", sa.Boolean(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("output_digest", sa.String(), nullable=True),
        sa.Column("opened_at", sa.String(), nullable=False),
        sa.Column("due_at", sa.String(), nullable=True),
        sa.Column("decided_at", sa.String(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run", "row", "attempt", "round"),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index("ix_reviews_state", ["state", "due_at", "opened_at"], unique=False)
    op.create_table(
        "reviewers",
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reviewer", "run", "row", "attempt", "round"),
    )
    op.create_table(
        "used_links",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("used_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))

    _take_in_what_waits()


def _take_in_what_waits() -> None:
    """Rows that wait for a person since before there was a register are in the inbox too."""
    rows = sa.table(
        "rows",
        *(sa.column(name) for name in ("run", "row", "attempt", "state", "message", "output_digest", "started_at")),
    )
    reviews = sa.table(
        "reviews",
        *(
            sa.column(name)
            for name in ("run", "row", "state", "claimed_by", "output_digest", "opened_at", "decided_by")
        ),
        *(sa.column(name) for name in ("attempt", "round", "sequence", "approvals", "escalated", "overdue", "comment")),
        *(sa.column(name, sa.JSON()) for name in ("reasons", "terms", "entries")),
    )
    reviewers = sa.table("reviewers", *(sa.column(name) for name in ("reviewer", "run", "row", "attempt", "round")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(rows).where(rows.c.state == "review")).mappings().all():
        place = {"run": row["run"], "row": row["row"], "attempt": row["attempt"], "round": 1}
        told = {"reasons": [row["message"]], "terms": {}, "entries": [], "output_digest": row["output_digest"]}
        state = {"state": "waiting", "sequence": 0, "approvals": 0, "escalated": False, "overdue": False}
        who = {"claimed_by": "", "decided_by": "", "comment": "", "opened_at": row["started_at"] or ""}
        connection.execute(reviews.insert().values({**place, **told, **state, **who}))
        connection.execute(reviewers.insert().values({"reviewer": "*", **place}))


def _table(name: str, plain: str, json: str = "") -> sa.TableClause:
    columns: list[sa.ColumnClause[Any]] = [sa.column(one) for one in plain.split()]
    columns += [sa.column(one, sa.JSON()) for one in json.split()]
    return sa.table(name, *columns)


def downgrade() -> None:
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_column("attempt")
        batch_op.drop_column("round")
    op.drop_table("used_links")
    op.drop_table("reviewers")
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.drop_index("ix_reviews_state")
    op.drop_table("reviews")
