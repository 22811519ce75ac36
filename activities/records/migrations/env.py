"""Alembic's environment: runs migrations on the connection it is handed."""

from alembic import context
from sqlmodel import SQLModel

from activities.audit import tables as audit_tables  # noqa: F401 -- registers the tables for --autogenerate
from activities.budgets import tables as budgets_tables  # noqa: F401 -- likewise
from activities.feedback import tables as feedback_tables  # noqa: F401 -- likewise
from activities.identity import tables as identity_tables  # noqa: F401 -- likewise
from activities.llm import cache_tables  # noqa: F401 -- likewise
from activities.provenance import tables as provenance_tables  # noqa: F401 -- likewise
from activities.records import tables  # noqa: F401 -- likewise
from activities.reflections import tables as reflections_tables  # noqa: F401 -- likewise
from activities.reviews import tables as reviews_tables  # noqa: F401 -- likewise
from activities.routing import tables as routing_tables  # noqa: F401 -- likewise
from activities.sandbox import tables as sandbox_tables  # noqa: F401 -- likewise

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
