"""The commands ``prism rate`` and ``prism feedback``."""

import sys
from pathlib import Path

import click
from rich.text import Text

from activities.feedback.contracts import Dimension, Rating, Score
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.steer import BY, RUN
from api.cli.tables import table

_COLOURS = {Rating.GOOD: "green", Rating.BAD: "red"}
_BY = {"agent": Dimension.AGENT, "model": Dimension.MODEL, "prompt": Dimension.PROMPT, "board": Dimension.BOARD}


@click.command()
@RUN
@click.argument("row")
@click.argument("rating", type=click.Choice([one.value for one in Rating]))
@click.option("--reason", default="", help="Why.")
@click.option(
    "--better",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the text that should stand there instead.",
)
@BY
@with_session
def rate(session: Session, run: str, row: str, rating: str, reason: str, better: Path | None, by: str | None) -> None:
    """Say whether a row's output is good or bad, and why.

    One vote a person and output: the newest counts.
    """
    given = {"reason": reason, "by": session.who(by)} | (
        {"better": better.read_text(encoding="utf-8")} if better else {}
    )
    with session.client() as client:
        vote = client.feedback.rate(run, row, rating, **given)
        found = client.feedback.of(run, row)
    counts = f"{found.good} good, {found.bad} bad"
    session.show(vote, Text(f"✓ {text.safe(vote.by)} rates {text.safe(row)} {vote.rating}: {counts}", style="green"))


@click.group()
def feedback() -> None:
    """Show votes and scores; export preference pairs."""


@feedback.command()
@RUN
@click.argument("row")
@with_session
def show(session: Session, run: str, row: str) -> None:
    """Show what people think of a row's outputs."""
    with session.client() as client:
        found = client.feedback.of(run, row)
    made = table("vote", "by", "as", "of", "why", "at")
    for vote in found.votes:
        rating = Text(vote.rating.value, style=_COLOURS[vote.rating])
        of = "this output" if vote.output == found.output else "an earlier text"
        told = (Text(text.safe(vote.by)), vote.origin.value, of, Text(text.safe(vote.reason)), vote.at[:19])
        made.add_row(rating, *told)
    session.show(found, made if found.votes else Text("nobody has rated it", style="dim"))


@feedback.command()
@click.option("--by", type=click.Choice(list(_BY)), default="model", show_default=True, help="What is told apart.")
@click.option("--days", type=click.IntRange(1, 3660), help="Only votes of so many days.")
@with_session
def scores(session: Session, by: str, days: int | None) -> None:
    """Show how good agents, models, prompt versions or boards are, with 95 % intervals."""
    with session.client() as client:
        found = client.feedback.scores(_BY[by], days)
    made = table(by, "good", "95 % between", "votes", "outputs")
    for one in found.scores:
        made.add_row(Text(text.safe(one.name)), f"{one.share:.0%}", _interval(one), str(one.votes), str(one.outputs))
    session.show(found, made if found.scores else Text("nobody has rated an output yet", style="dim"))


@feedback.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [default: stdout]")
@with_session
def pairs(session: Session, output: Path | None) -> None:
    """Export preference pairs as JSON lines: prompt, chosen and rejected text.

    They come from edits, readers' proposals, and texts that were approved after somebody had asked for changes.
    """
    with session.client() as client:
        if output is None:
            for chunk in client.feedback.pairs():
                sys.stdout.buffer.write(chunk)
            return
        with output.open("wb") as file:
            for chunk in client.feedback.pairs():
                file.write(chunk)


@feedback.command()
@with_session
def datasets(session: Session) -> None:
    """List data sets of preference pairs; PRISM_PAIRS_WANTED has them made."""
    with session.client() as client:
        found = client.feedback.datasets()
    made = table("made", "pairs", "artifact")
    for one in found.datasets:
        made.add_row(one.at[:19], str(one.pairs), one.digest)
    when = f"{found.wanted} new pairs make one" if found.wanted else "PRISM_PAIRS_WANTED has none made by itself"
    session.show(found, *([made] if found.datasets else []), Text(when, style="dim"))


def _interval(one: Score) -> str:
    return f"{one.low:.0%} and {one.high:.0%}"
