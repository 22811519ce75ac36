"""Commands of reviewers: the inbox, a row's rounds, and every kind of decision."""

import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from activities.reviews.contracts import DecisionKind
from api.cli import review_tables, text
from api.cli.session import Session, with_session
from api.cli.steer import BY, RUN
from api.review_models import BulkDecided, Decided

ROW = click.argument("row")
COMMENT = click.option("--comment", default="", help="What the record shall say.")
REASON = click.option("--comment", required=True, help="Why: the record keeps it, and people read it.")
ROUND = click.option("--round", "round_", type=click.IntRange(1), help="The round you looked at.")
BULK = [kind.value for kind in DecisionKind if kind not in {DecisionKind.EDIT, DecisionKind.ANSWER}]


@click.command()
@click.option("--mine", is_flag=True, help="Only what you may decide on, when you are logged in.")
@click.option("--reviewer", default="", metavar="NAME", help="Only what NAME may decide on; also role:cfo.")
@click.option("--run", default="", help="Only of this run.")
@click.option("--board", default="", help="Only of this board.")
@click.option("--risk", default="", help="Only of this risk.")
@click.option("--state", default="waiting", show_default=True, help="waiting, approved, rejected, … or all.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 500))
@with_session
def reviews(session: Session, **asked: Any) -> None:  # noqa: ANN401 -- the options above
    """List what waits for a person, the most urgent first."""
    with session.client() as client:
        found = client.reviews(**asked)
    told = Text("Nothing waits for a review.", style="dim") if not found.reviews else review_tables.inbox(found)
    session.show(found, told)


@click.command()
@RUN
@ROW
@with_session
def review(session: Session, run: str, row: str) -> None:
    """Show every round of a row's review, with changes.

    The texts, who may decide, and what was decided.
    """
    with session.client() as client:
        found = client.review(run, row)
    session.show(found, *review_tables.rounds(found))


@click.command()
@RUN
@ROW
@BY
@COMMENT
@ROUND
@with_session
def approve(session: Session, run: str, row: str, by: str | None, comment: str, round_: int | None) -> None:
    """Approve the output of a row that waits for a review."""
    _decide(session, run, row, DecisionKind.APPROVE, by=session.who(by), comment=comment, round=round_)


@click.command()
@RUN
@ROW
@BY
@REASON
@ROUND
@with_session
def reject(session: Session, run: str, row: str, by: str | None, comment: str, round_: int | None) -> None:
    """Reject the output of a row that waits for a review.

    The row ends as rejected.
    """
    _decide(session, run, row, DecisionKind.REJECT, by=session.who(by), comment=comment, round=round_)


@click.command("request-changes")
@RUN
@ROW
@BY
@REASON
@ROUND
@with_session
def request_changes(session: Session, run: str, row: str, by: str | None, comment: str, round_: int | None) -> None:
    """Have the model write the output anew.

    It is shown its last answer and your comment; then the row is reviewed again.
    """
    _decide(session, run, row, DecisionKind.REQUEST_CHANGES, by=session.who(by), comment=comment, round=round_)


@click.command()
@RUN
@ROW
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@BY
@COMMENT
@with_session
def edit(session: Session, run: str, row: str, file: Path | None, by: str | None, comment: str) -> None:
    """Approve a row with another text.

    The text is FILE, or what you leave in your editor. The original is kept.
    """
    with session.client() as client:
        found = client.review(run, row).rounds
    last = found[-1] if found else None
    changed = file.read_text(encoding="utf-8") if file else click.edit((last and last.shown) or "", extension=".md")
    if changed is None:
        raise click.UsageError("the text was not changed, so nothing was decided")
    number = last.round if last else None
    _decide(session, run, row, DecisionKind.EDIT, by=session.who(by), comment=comment, output=changed, round=number)


@click.command()
@RUN
@ROW
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
@BY
@COMMENT
@with_session
def answer(session: Session, run: str, row: str, fields: tuple[str, ...], by: str | None, comment: str) -> None:
    """Fill in the form of a row.

    That approves it. A VALUE is read as JSON where it is JSON (0.5, true), else as text.
    """
    _decide(session, run, row, DecisionKind.ANSWER, by=session.who(by), comment=comment, answers=_answers(fields))


@click.command()
@RUN
@ROW
@click.argument("reviewers", nargs=-1, required=True)
@BY
@COMMENT
@with_session
def reassign(session: Session, run: str, row: str, reviewers: tuple[str, ...], by: str | None, comment: str) -> None:
    """Hand a review to others.

    REVIEWERS are persons, or role:NAME.
    """
    _decide(session, run, row, DecisionKind.REASSIGN, by=session.who(by), comment=comment, reviewers=list(reviewers))


@click.command()
@RUN
@ROW
@BY
@with_session
def claim(session: Session, run: str, row: str, by: str | None) -> None:
    """Claim a review; others are kept out.

    Until you decide, or somebody releases it.
    """
    _decide(session, run, row, DecisionKind.CLAIM, by=session.who(by))


@click.command()
@RUN
@ROW
@BY
@with_session
def release(session: Session, run: str, row: str, by: str | None) -> None:
    """Release a review that was claimed."""
    _decide(session, run, row, DecisionKind.RELEASE, by=session.who(by))


@click.command()
@RUN
@ROW
@click.argument("words")
@BY
@with_session
def comment(session: Session, run: str, row: str, words: str, by: str | None) -> None:
    """Leave a comment on a review."""
    _decide(session, run, row, DecisionKind.COMMENT, by=session.who(by), comment=words)


@click.command("decide-all")
@click.argument("kind", type=click.Choice(BULK))
@BY
@COMMENT
@click.option("--run", default="", help="Only of this run.")
@click.option("--board", default="", help="Only of this board.")
@click.option("--risk", default="", help="Only of this risk.")
@click.option("--reviewers", multiple=True, help="For reassign: to whom.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def decide_all(session: Session, kind: str, by: str | None, *, yes: bool, **given: Any) -> None:  # noqa: ANN401
    """Decide on all reviews that wait and fit.

    Each is decided by itself: one that is refused keeps no other from being decided.
    """
    with session.client() as client:
        fitting = {name: given[name] for name in ("run", "board", "risk")}
        waiting = client.reviews(**fitting, limit=1).waiting
        if not yes and waiting and not session.as_json:
            click.confirm(f"{kind.replace('_', ' ')} {text.plural(waiting, 'review')}?", abort=True)
        done = client.decide_many(kind, every=True, by=session.who(by), **given)
    session.show(done, review_tables.many(done))
    _fail_if_refused(done)


def _decide(session: Session, run: str, row: str, kind: DecisionKind, **given: Any) -> None:  # noqa: ANN401
    with session.client() as client:
        decided = client.decide(run, row, kind, **given)
    session.show(decided, _told(row, kind, decided))


def _told(row: str, kind: DecisionKind, decided: Decided) -> Text:
    mark = ("… ", "bold yellow") if decided.queued else ("✓ ", "bold green")
    return Text.assemble(mark, f"row {row}: {kind.value.replace('_', ' ')} taken; {decided.message}")


def _answers(fields: tuple[str, ...]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for field in fields:
        name, given, value = field.partition("=")
        if not given or not name:
            raise click.UsageError(f"{field!r} is no answer: write FIELD=VALUE")
        try:
            answers[name] = json.loads(value)
        except ValueError:
            answers[name] = value
    return answers


def _fail_if_refused(done: BulkDecided) -> None:
    if done.refused:
        raise SystemExit(1)
