"""Commands about agents."""

import click
from rich.text import Text

from api.cli import tables, text
from api.cli.session import Session, with_session


@click.command()
@with_session
def agents(session: Session) -> None:
    """List the agents and documents that rows may name."""
    with session.client() as client:
        found = client.agents()
    made = tables.table("agent", "version", "role", "model", "tools")
    for view in found.agents:
        agent = view.agent
        cells = (agent.version, text.safe(agent.role), agent.model or "the row's", ", ".join(agent.tools))
        made.add_row(Text(agent.name, style="bold"), *cells)
    known = Text(f"Documents: {', '.join(found.knowledge) or 'none'}", style="dim")
    session.show(found, made, known)
