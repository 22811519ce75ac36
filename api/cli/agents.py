"""Commands about agents and the tools that they call."""

import difflib
import json
from collections.abc import Collection
from typing import NoReturn

import click
from rich.syntax import Syntax
from rich.text import Text

from api.agent_models import AgentView, ToolDecision
from api.cli import tables, text
from api.cli.session import Session, with_session

NAME = click.argument("name")


@click.group(invoke_without_command=True)
@click.pass_context
def agents(ctx: click.Context) -> None:
    """List the agents and documents that rows may name."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_agents)


@agents.command("list")
@with_session
def list_agents(session: Session) -> None:
    """List the agents and documents that rows may name."""
    with session.client() as client:
        found = client.agents()
    made = tables.table("agent", "version", "role", "model", "tools", "rows", "good")
    for view in found.agents:
        agent = view.agent
        tools = ", ".join(f"{name} (refused)" if name in view.refused else name for name in agent.tools)
        cells = (agent.version, text.safe(agent.role), agent.model or "the row's", tools)
        made.add_row(Text(agent.name, style="bold"), *cells, _rows(view), _good(view))
    known = Text(f"Documents: {', '.join(found.knowledge) or 'none'}", style="dim")
    session.show(found, made, known)


@agents.command()
@NAME
@with_session
def show(session: Session, name: str) -> None:
    """Show an agent: its words, tools, limits, and what came of its work."""
    with session.client() as client:
        found = {view.agent.name: view for view in client.agents().agents}
    view = found.get(name) or _unknown("agent", name, found)
    agent = view.agent
    limits = agent.limits.model_dump(exclude_none=True)
    made = tables.table("what", "is")
    for what, told in (
        ("version", agent.version),
        ("role", agent.role or "-"),
        ("model", agent.model or "the row's"),
        ("tools", ", ".join(agent.tools) or "none of its own"),
        *((f"  {tool}", f"refused: {'; '.join(why)}") for tool, why in view.refused.items()),
        ("limits", ", ".join(f"{limit} {most:,}" for limit, most in limits.items()) or "those of run and row"),
        ("rows", _rows(view)),
        ("good", _good(view)),
        ("digest", view.digest),
    ):
        made.add_row(Text(what, style="bold"), text.safe(told))
    session.show(view, made, Text("system", style="bold"), Text(text.safe(agent.system)))


@click.group(invoke_without_command=True)
@click.pass_context
def tools(ctx: click.Context) -> None:
    """List the programs that models may have run."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_tools)


@tools.command("list")
@with_session
def list_tools(session: Session) -> None:
    """List the programs that models may have run, and at which risks the policy lets them."""
    with session.client() as client:
        found = client.tools()
    made = tables.table("tool", "takes", "language", "agents", "allowed at", "seen by a person")
    for one in found.tools:
        takes = ", ".join(one.parameters.get("properties", {})) or "nothing"
        risks = ", ".join(said.risk.value for said in one.policy if said.allow) or "no risk"
        seen = ", ".join(said.risk.value for said in one.policy if said.allow and said.review)
        made.add_row(Text(one.name, style="bold"), takes, one.language.value, ", ".join(one.agents), risks, seen)
    session.show(found, made if found.tools else Text("PRISM_TOOLS names no file of tools", style="dim"))


@tools.command("show")
@NAME
@with_session
def show_tool(session: Session, name: str) -> None:
    """Show a tool: what it does and takes, its program, and what the policy says of it."""
    with session.client() as client:
        found = {one.name: one for one in client.tools().tools}
    one = found.get(name) or _unknown("tool", name, found)
    made = tables.table("risk", "policy")
    for said in one.policy:
        made.add_row(said.risk.value, text.safe(_said(said)))
    session.show(
        one,
        Text(text.safe(one.description)),
        Text(f"agents: {', '.join(one.agents) or 'of none by itself'}\ndigest: {one.digest}", style="dim"),
        made,
        Syntax(json.dumps(one.parameters, indent=2), "json", background_color="default"),
        Syntax(text.safe(one.code), one.language.value, background_color="default"),
    )


def _said(said: ToolDecision) -> str:
    if not said.allow:
        return f"denied: {'; '.join(said.deny)}"
    return f"allowed, a person must look: {'; '.join(said.review)}" if said.review else "allowed"


def _rows(view: AgentView) -> str:
    return f"{view.use.rows:,}" if view.use else "-"


def _good(view: AgentView) -> str:
    score = view.use.score if view.use else None
    return f"{score.share:.0%} of {text.plural(score.votes, 'vote')}" if score else "-"


def _unknown(what: str, name: str, known: Collection[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
    raise click.UsageError(f"there is no {what} {name!r}; {hint}")
