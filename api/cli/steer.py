"""Commands that steer: pause, resume, cancel, retry, skip, concurrency."""

import click
from rich.text import Text

from api.cli import text
from api.cli.session import Session, with_session
from api.models import Accepted

BY = click.option("--by", metavar="NAME", help="Who does it.  [default: your login name]")
RUN = click.argument("run")
ROWS = click.argument("rows", nargs=-1)


@click.command()
@RUN
@BY
@click.option("--reason", default="", help="Why.")
@with_session
def pause(session: Session, run: str, by: str | None, reason: str) -> None:
    """Start no further row; rows under way go on."""
    with session.client() as client:
        done(session, client.pause(run, by=session.who(by), reason=reason), f"run {run} is asked to pause")


@click.command()
@RUN
@BY
@click.option("--reason", default="", help="Why.")
@with_session
def resume(session: Session, run: str, by: str | None, reason: str) -> None:
    """Start rows again."""
    with session.client() as client:
        done(session, client.resume(run, by=session.who(by), reason=reason), f"run {run} goes on")


@click.command()
@RUN
@with_session
def cancel(session: Session, run: str) -> None:
    """Cancel a run with all its rows."""
    with session.client() as client:
        done(session, client.cancel(run), f"run {run} is asked to cancel; one that has ended stays as it is")


@click.command()
@RUN
@ROWS
@with_session
def retry(session: Session, run: str, rows: tuple[str, ...]) -> None:
    """Run rows again that failed, and what they blocked.

    Without ROWS it is all of them. Also when the run has ended.
    """
    with session.client() as client:
        what = text.plural(len(rows), "row") if rows else "all rows that did not succeed"
        done(session, client.retry(run, rows), f"run {run} tries {what} again")


@click.command()
@RUN
@click.argument("rows", nargs=-1, required=True)
@with_session
def skip(session: Session, run: str, rows: tuple[str, ...]) -> None:
    """End rows that were not started.

    Rows that depend on them are blocked.
    """
    with session.client() as client:
        done(session, client.skip(run, rows), f"run {run} skips {text.plural(len(rows), 'row')}")


@click.command()
@RUN
@click.argument("limit", type=click.IntRange(1, 1000))
@with_session
def concurrency(session: Session, run: str, limit: int) -> None:
    """Change how many rows are under way at once."""
    with session.client() as client:
        done(session, client.concurrency(run, limit), f"run {run} has up to {text.plural(limit, 'row')} under way")


def done(session: Session, accepted: Accepted, what: str) -> None:
    """Say what was done."""
    session.show(accepted, Text.assemble(("✓ ", "bold green"), what))
