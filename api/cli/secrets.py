"""The commands ``prism secrets set``, ``get``, ``list`` and ``delete``; they need the installation's own settings."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from pydantic import SecretStr
from rich.text import Text

from activities.audit.contracts import AuditEvent, AuditKind
from activities.secrets.contracts import (
    MAX_SECRET_BYTES,
    InvalidSecret,
    SecretNotFound,
    SecretStore,
    SecretVersion,
)
from api.cli import tables, text
from api.cli.session import Session, with_session
from temporal.secret_reference import VALUE

Result = TypeVar("Result")
NAME = click.argument("name")


@click.group()
def secrets() -> None:
    """Set, read, list and delete secrets.

    Works on the installation's own machine, with its settings; whoever may read those may read these.
    """


@secrets.command(name="set")
@NAME
@click.argument("surplus", nargs=-1, metavar="")
@click.option("--field", default=VALUE, show_default=True, help="Which of several values of one secret.")
@with_session
def set_(session: Session, name: str, surplus: tuple[str, ...], field: str) -> None:
    """Keep a new version of a secret; its other fields stay.

    The value is asked for, or read from standard input without the line break at its end; it never stands among the
    arguments, which others see.
    """
    if surplus:
        raise click.UsageError("a value is not given on the command line, where others see it: pipe it in")
    value = _asked()

    async def work(store: SecretStore) -> SecretVersion:
        try:
            others = (await store.get(name)).fields
        except SecretNotFound:
            others = {}
        return await store.put(name, others | {field: value})

    kept = _audited(session, AuditKind.SECRET_SET, name, work)
    session.show(kept, Text(f"✓ {text.safe(name)} has version {kept.version}"))


@secrets.command()
@NAME
@click.option("--field", default=VALUE, show_default=True, help="Which of several values of one secret.")
@click.option("--version", type=click.IntRange(1), help="An earlier version; the newest by default.")
@with_session
def get(session: Session, name: str, field: str, version: int | None) -> None:
    """Print a secret's value, and nothing else."""

    async def work(store: SecretStore) -> str:
        value = (await store.get(name, version)).fields.get(field)
        if value is None:
            raise click.UsageError(f"the secret has no field {field!r}")
        return value.get_secret_value()

    # Written down before it is shown: what cannot be written down is not read.
    click.echo(_audited(session, AuditKind.SECRET_READ, name, work))


@secrets.command(name="list")
@with_session
def list_(session: Session) -> None:
    """List secrets and their versions, without values."""

    async def work(store: SecretStore) -> list[SecretVersion]:
        return [(await store.versions(name))[-1] for name in await store.names()]

    found = asyncio.run(work(_store(session)))
    made = tables.table("secret", "version", "since")
    for one in found:
        made.add_row(Text(text.safe(one.name)), str(one.version), one.created_at.strftime("%Y-%m-%d %H:%M:%S"))
    session.show(found, made if found else Text("there are no secrets", style="dim"))


@secrets.command()
@NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, name: str, *, yes: bool) -> None:
    """Remove a secret with all its versions, for good."""
    if not yes:
        click.confirm(f"Remove the secret {text.safe(name)} with all its versions?", abort=True, err=True)

    async def work(store: SecretStore) -> None:
        await store.delete(name)

    _audited(session, AuditKind.SECRET_DELETED, name, work)
    session.show({"deleted": name}, Text(f"✓ {text.safe(name)} is gone"))


def _asked() -> SecretStr:
    """Return the value: typed unseen at a terminal, else what is piped in."""
    if sys.stdin.isatty():
        return SecretStr(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    # Two bytes more than may be kept: a line break, and one by which too much is noticed.
    data = sys.stdin.buffer.read(MAX_SECRET_BYTES + 2)
    try:
        return SecretStr(data.decode().removesuffix("\n"))
    except UnicodeDecodeError:
        # The library's message would repeat bytes of the value.
        raise InvalidSecret("a secret is text in UTF-8; encode other bytes first, such as by base64") from None


def _store(session: Session) -> SecretStore:
    from workers.secrets import open_secrets  # noqa: PLC0415 -- imports the stores

    return open_secrets(session.settings)


def _audited(session: Session, kind: AuditKind, name: str, work: Callable[[SecretStore], Awaitable[Result]]) -> Result:
    """Do something with a secret, and write down who did; what failed is no entry."""
    from workers.audit import open_audit  # noqa: PLC0415 -- imports the database
    from workers.compose import open_stores  # noqa: PLC0415 -- likewise

    async def both() -> Result:
        done = await work(_store(session))
        audit = open_audit(session.settings, open_stores(session.settings).engine)
        await audit.write(AuditEvent(kind=kind, actor=getpass.getuser(), subject=f"secret/{name}"))
        return done

    return asyncio.run(both())
