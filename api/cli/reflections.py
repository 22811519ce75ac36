"""The commands ``prism reflect`` and ``prism reflections``."""

import click
from rich.console import RenderableType
from rich.text import Text

from activities.reflections.contracts import Reflection, ReflectionState
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.steer import BY
from api.cli.tables import table
from catalogs.evidence import ROW

_COLOURS = {ReflectionState.APPROVED: "green", ReflectionState.REJECTED: "red", ReflectionState.FAILED: "red"}


@click.command()
@click.argument("agent")
@click.option("--board", default="", help="Only what was wrong on this board.")
@click.option("--model", default="", help="Model group that proposes.  [default: whom the reflector asks]")
@click.option("--wanted", type=click.IntRange(1, 100), help="How many pieces of evidence there must be.")
@BY
@click.pass_context
@with_session
def reflect(
    session: Session, context: click.Context, agent: str, board: str, model: str, wanted: int | None, by: str | None
) -> None:
    """Have a changed system prompt proposed for an agent.

    It answers what was wrong with the outputs of AGENT. A person decides on the proposal like on every row. Exit code
    1: there is not enough to reflect on.
    """
    with session.client() as client:
        begun = client.reflections.start(agent, board=board, model=model, wanted=wanted, by=session.who(by))
    session.show(begun, *_told(begun))
    if begun.state in {ReflectionState.NOTHING, ReflectionState.FAILED}:
        context.exit(1)


@click.command()
@click.argument("reflection", required=False)
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the approved agent as the file that defines it.")
@with_session
def reflections(session: Session, reflection: str | None, *, as_yaml: bool) -> None:
    """List reflections, or show what came of one."""
    with session.client() as client:
        if reflection is None:
            found = client.reflections.list()
            made = table("reflection", "agent", "state", "evidence", "by", "began", "version")
            for each in found.reflections:
                state = Text(each.state.value.replace("_", " "), style=_COLOURS.get(each.state, ""))
                version = each.version.definition.label if each.version else ""
                told = (Text(text.safe(each.by)), each.at[:19], version)
                made.add_row(each.reflection, each.agent, state, f"{each.evidence} of {each.wanted}", *told)
            none = Text("there was none: prism reflect AGENT", style="dim")
            session.show(found, made if found.reflections else none)
            return
        one = client.reflections.get(reflection)
    if as_yaml:
        if one.version is None:
            raise click.ClickException(f"reflection {reflection} has no approved version: it is {one.state.value}")
        from activities.agents.writing import agent_file  # noqa: PLC0415 -- YAML is read by few commands

        click.echo(agent_file(one.version.definition), nl=False)
        return
    session.show(one, *_told(one))


def _told(one: Reflection) -> list[RenderableType]:
    if one.state is ReflectionState.GATHERING:
        return [Text(f"{one.reflection} waits for a worker: prism reflections {one.reflection}")]
    if one.state is ReflectionState.UNDER_WAY:
        texts = "text" if one.left_out == 1 else "texts"
        left_out = f", {one.left_out} {texts} of it left out for what seems to be a secret" if one.left_out else ""
        told = f"✓ {one.reflection}: {one.evidence} pieces of evidence on {one.agent}{left_out}"
        return [Text(told, style="green"), Text(f"when it is proposed: prism review {one.reflection} {ROW}")]
    lines: list[RenderableType] = [Text(text.safe(one.message), style=_COLOURS.get(one.state, "yellow"))]
    if one.version is not None:
        if one.version.experiment:
            lines.append(Text(f"compared with the present one: prism experiments show {one.version.experiment}"))
        lines.append(Text(f"as a file: prism reflections {one.reflection} --yaml"))
    return lines
