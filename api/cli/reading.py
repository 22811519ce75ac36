"""Options of the commands that read a catalog, and checking one without a server."""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from activities.policy.engine import PolicyEngine
from api.checking import checked
from api.cli import tables, text
from api.models import Validation
from catalogs.options import ReadOptions
from catalogs.tools import MOST_TOOL_CALLS, MOST_TOOL_ROUNDS
from workers.agents import installed
from workers.settings import Settings

Command = Callable[..., None]
STDIN = Path("-")
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))


def tool_options(command: Command) -> Command:
    """Give a command the limits of what models call in a run."""
    for option in (
        click.option("--tool-calls", type=click.IntRange(1, MOST_TOOL_CALLS), help="Most calls of tools for one text."),
        click.option(
            "--tool-rounds", type=click.IntRange(1, MOST_TOOL_ROUNDS), help="Most rounds of calls before the answer."
        ),
    ):
        command = option(command)
    return command


class ColumnPair(click.ParamType[tuple[str, str]]):
    """``a=b``: column ``a`` of the file is column ``b`` of Prism."""

    name = "FILE=PRISM"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both names."""
        theirs, sign, ours = value.partition("=")
        if not (sign and theirs.strip() and ours.strip()):
            self.fail(f"{value!r} is not of the form file_column=prism_column, such as prompt=objective", param, ctx)
        return theirs.strip(), ours.strip()


def reading_options(command: Command) -> Command:
    """Give a command the options of how a catalog is read; it takes them as ``options``."""

    def wrapper(
        *args: object, mapping: Sequence[tuple[str, str]], literal: bool, skip_invalid: bool, **more: object
    ) -> None:
        options = ReadOptions(columns=dict(mapping), literal=literal, skip_invalid=skip_invalid)
        command(*args, options=options, **more)

    wrapper.__doc__ = command.__doc__
    wrapper.__name__ = command.__name__
    wrapper.__dict__.update(command.__dict__)
    for option in (
        click.option("--skip-invalid", is_flag=True, help="Leave out invalid rows and what depends on them."),
        click.option("--literal", is_flag=True, help="Prompts are text, not Jinja2 templates."),
        click.option(
            "--map", "mapping", type=ColumnPair(), multiple=True, help="Read column FILE as PRISM's; repeatable."
        ),
    ):
        wrapper = option(wrapper)
    return wrapper


def with_installed(options: ReadOptions, settings: Settings) -> ReadOptions:
    """Return options that know the agents, the collections and the tools of this machine.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    return options.model_copy(update=installed(settings))


def file_name(file: Path) -> str:
    """Return what a catalog is called that has no title."""
    return "catalog" if file == STDIN else file.name


def contents(file: Path) -> Path | bytes:
    """Return a file to read, or what arrives on standard input."""
    return sys.stdin.buffer.read() if file == STDIN else file


async def check(
    file: Path | bytes, options: ReadOptions, policy: PolicyEngine | None = None, submitter: str = ""
) -> Validation:
    """Return all that is wrong with a catalog, by the policy too where there is one; nothing is stored."""
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    return await checked(source, options, policy, submitter)


def told(name: str, found: Validation) -> list[RenderableType]:
    """Return what a person reads of a validation."""
    parts: list[RenderableType] = []
    if found.errors or found.warnings:
        parts.append(tables.faults([*found.errors, *found.warnings]))
    if hidden := found.errors_found - len(found.errors):
        parts.append(
            Text(
                f"{text.plural(len(found.errors), 'error')} of {found.errors_found:,} shown, "
                f"{hidden:,} more: --show {found.errors_found}",
                style="dim",
            )
        )
    parts += [Text.assemble(("✗ ", "bold red"), text.safe(reason)) for reason in found.denied]
    line = Text(no_wrap=False)
    remarks = f", {text.plural(len(found.warnings), 'warning')}" if found.warnings else ""
    if found.rows and not found.valid:
        line.append("✗ ", style="bold red")
        line.append(f"the policy does not let {name} run{remarks}. Nothing was started.")
    elif not found.valid:
        line.append("✗ ", style="bold red")
        line.append(f"{name} cannot run: {text.plural(found.errors_found, 'error')}{remarks}. Nothing was started.")
    elif found.errors_found:
        line.append("! ", style="bold yellow")
        line.append(
            f"{name}: {text.plural(found.rows, 'row')} can run, the rows with "
            f"{text.plural(found.errors_found, 'error')} and what depends on them are left out{remarks}"
        )
    else:
        line.append("✓ ", style="bold green")
        line.append(f"{name} is valid: {text.plural(found.rows, 'row')}{remarks}")
    return [*parts, line]
