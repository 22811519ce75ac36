"""The commands ``prism secrets …``; they need the installation's own settings, and no API."""

import asyncio
import getpass
import sys

import click
from pydantic import SecretStr
from rich.text import Text

from activities.audit.contracts import AuditEvent, AuditKind
from activities.secrets.ages import SecretAge
from activities.secrets.contracts import MAX_SECRET_BYTES, InvalidSecret
from activities.secrets.keeping import SecretKeeping
from api.cli import tables, text
from api.cli.session import Session, with_session
from temporal.secret_reference import VALUE

DAY = "%Y-%m-%d"
NAME = click.argument("name")
SURPLUS = click.argument("surplus", nargs=-1, metavar="")
FIELD = click.option("--field", default=VALUE, show_default=True, help="Which of several values of one secret.")


@click.group()
def secrets() -> None:
    """Set, read, list, rotate and delete secrets.

    Works on the installation's own machine, with its settings; whoever may read those may read these.
    """


@secrets.command(name="set")
@NAME
@SURPLUS
@FIELD
@with_session
def set_(session: Session, name: str, surplus: tuple[str, ...], field: str) -> None:
    """Keep a new version of a secret; its other fields stay.

    The value is asked for, or read from standard input without the line break at its end; it never stands among the
    arguments, which others see.
    """
    kept = asyncio.run(_keeping(session).put(name, field, _asked(surplus), getpass.getuser()))
    session.show(kept, Text(f"✓ {text.safe(name)} has version {kept.version}"))


@secrets.command()
@NAME
@SURPLUS
@FIELD
@click.option("--generate", is_flag=True, help="Make up the new value: 32 random bytes.")
@with_session
def rotate(session: Session, name: str, surplus: tuple[str, ...], field: str, *, generate: bool) -> None:
    """Replace a secret that is there; what it was counts on for a while.

    The new value is asked for, or read from standard input, as with ``set``.
    """
    keeping = _keeping(session)
    value = None if generate else _asked(surplus)
    made = asyncio.run(keeping.rotate(name, field, value, getpass.getuser()))
    until = made.created_at + keeping.terms.overlap
    told = f"✓ {text.safe(name)} has version {made.version}; the one before counts until {until.strftime(DAY)}"
    session.show(made, Text(told))


@secrets.command()
@NAME
@FIELD
@click.option("--version", type=click.IntRange(1), help="An earlier version; the newest by default.")
@with_session
def get(session: Session, name: str, field: str, version: int | None) -> None:
    """Print a secret's value, and nothing else."""
    # Written down before it is shown: what cannot be written down is not read.
    click.echo(asyncio.run(_read(session, name, field, version)))


@secrets.command(name="list")
@with_session
def list_(session: Session) -> None:
    """List secrets, their versions and ages, without values."""
    found = asyncio.run(_keeping(session).ages())
    show_ages(session, list(found))


@secrets.command()
@NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, name: str, *, yes: bool) -> None:
    """Remove a secret with all its versions, for good."""
    if not yes:
        click.confirm(f"Remove the secret {text.safe(name)} with all its versions?", abort=True, err=True)
    asyncio.run(_keeping(session).delete(name, getpass.getuser()))
    session.show({"deleted": name}, Text(f"✓ {text.safe(name)} is gone"))


def show_ages(session: Session, found: list[SecretAge]) -> None:
    """Show secrets without values."""
    made = tables.table("secret", "version", "since", "age", "due")
    for one in found:
        due = f"{one.due.strftime(DAY)}{' by itself' if one.own else ''}" if one.due else ""
        made.add_row(
            Text(text.safe(one.name)),
            ", ".join(map(str, one.counting)) or str(one.version),
            one.since.strftime("%Y-%m-%d %H:%M:%S"),
            f"{one.age_days} d",
            Text(due, style={"overdue": "red", "due_soon": "yellow"}.get(one.state, "")),
        )
    session.show(found, made if found else Text("there are no secrets", style="dim"))


def _asked(surplus: tuple[str, ...]) -> SecretStr:
    """Return the value: typed unseen at a terminal, else what is piped in."""
    if surplus:
        raise click.UsageError("a value is not given on the command line, where others see it: pipe it in")
    if sys.stdin.isatty():
        return SecretStr(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    # Two bytes more than may be kept: a line break, and one by which too much is noticed.
    data = sys.stdin.buffer.read(MAX_SECRET_BYTES + 2)
    try:
        return SecretStr(data.decode().removesuffix("\n"))
    except UnicodeDecodeError:
        # The library's message would repeat bytes of the value.
        raise InvalidSecret("a secret is text in UTF-8; encode other bytes first, such as by base64") from None


def _keeping(session: Session) -> SecretKeeping:
    from workers.compose import open_stores  # noqa: PLC0415 -- imports the database
    from workers.secrets import open_keeping  # noqa: PLC0415 -- likewise

    return open_keeping(session.settings, open_stores(session.settings).engine)


async def _read(session: Session, name: str, field: str, version: int | None) -> str:
    from workers.audit import open_audit  # noqa: PLC0415 -- imports the database
    from workers.compose import open_stores  # noqa: PLC0415 -- likewise
    from workers.secrets import open_secrets  # noqa: PLC0415 -- likewise

    found = await open_secrets(session.settings).get(name, version)
    value = found.fields.get(field)
    if value is None:
        raise click.UsageError(f"the secret has no field {field!r}")
    audit = open_audit(session.settings, open_stores(session.settings).engine)
    event = AuditEvent(
        kind=AuditKind.SECRET_READ,
        actor=getpass.getuser(),
        subject=f"secret/{name}",
        detail={"version": found.version},
    )
    await audit.write(event)
    return value.get_secret_value()
