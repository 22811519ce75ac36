"""Reviews as tables and texts of a terminal."""

import difflib
import json
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from activities.reviews.contracts import ReviewEntry
from activities.reviews.views import ReviewView
from api.cli import text
from api.cli.tables import facts, table
from api.review_models import BulkDecided, ReviewDetail, ReviewRound, Reviews

_STYLES = {"approved": "green", "rejected": "red", "expired": "red", "waiting": "magenta", "cancelled": "dim"}


def inbox(found: Reviews) -> RenderableType:
    """Return reviews, one a line, and how many more there are."""
    made = table("run", "row", "board", "risk", "round", "approvals", "due", "who may decide", "why")
    for view in found.reviews:
        made.add_row(
            view.run,
            Text(text.snippet(view.row, 60)),
            Text(text.snippet(view.board, 30)),
            view.risk,
            str(view.round),
            f"{view.approvals}/{view.needed}",
            _due(view),
            Text(text.snippet(_who(view), 60)),
            Text(text.snippet("; ".join(view.reasons), 120)),
        )
    more = found.waiting - len(found.reviews)
    return Group(made, Text(f"and {more:,} more", style="dim")) if more > 0 else made


def rounds(found: ReviewDetail) -> Iterator[RenderableType]:
    """Yield each round: facts, what happened, and the text, as a diff where an earlier round has one."""
    if not found.rounds:
        yield Text("This row was never reviewed.", style="dim")
    earlier: ReviewRound | None = None
    for one in found.rounds:
        state = Text(one.state.value.replace("_", " "), style=_STYLES.get(one.state.value, "yellow"))
        yield Text.assemble((f"Round {one.round}", "bold"), "  ", state)
        yield Padding(_facts(one), (0, 0, 1, 2))
        yield Padding(_entries(one.entries), (0, 0, 1, 2))
        yield _text(earlier, one)
        earlier = one


def many(done: BulkDecided) -> RenderableType:
    """Return what became of several decisions."""
    made = table("run", "row", "", "what became of it")
    for one in done.results:
        mark = Text("✓", style="green") if one.ok else Text("✗", style="red")
        made.add_row(one.run, Text(text.snippet(one.row, 60)), mark, Text(text.snippet(one.message, 160)))
    told = Text(f"{text.plural(done.decided, 'decision')} taken, {done.refused:,} refused", style="bold")
    return Group(made, told) if done.results else Text("Nothing waits that fits.", style="dim")


def _facts(one: ReviewRound) -> Table:
    terms = one.terms
    pairs: list[tuple[str, RenderableType]] = [
        ("why", text.snippet("; ".join(one.reasons), 500)),
        ("who may decide", text.snippet(_who(one), 200)),
        ("approvals", f"{one.approvals} of {one.needed}"),
    ]
    if terms.four_eyes:
        pairs.append(("four eyes", f"not {one.submitter or 'the submitter'}"))
    if one.claimed_by:
        pairs.append(("claimed by", text.safe(one.claimed_by)))
    if one.due_at:
        pairs.append(("due", Text.assemble(_due(one), f", then {terms.on_deadline.value}")))
    if terms.form:
        pairs.append(("form", ", ".join(terms.form["properties"])))
    return facts(pairs)


def _entries(entries: list[ReviewEntry]) -> Table:
    made = table("when", "what", "who", "words")
    for entry in entries:
        words = entry.comment or ", ".join(entry.reviewers) or (str(entry.answers) if entry.answers else "")
        made.add_row(
            text.moment(entry.at),
            entry.kind.replace("_", " "),
            Text(text.snippet(entry.by, 40)),
            Text(text.snippet(words, 300)),
        )
    return made


def _text(earlier: ReviewRound | None, one: ReviewRound) -> RenderableType:
    if one.shown is None:
        return Text("The text is not kept any more.", style="dim")
    if planned := _planned(one.output or ""):
        return planned
    if earlier is None or earlier.shown is None:
        return Panel(Text(text.safe(one.shown)), title="text", title_align="left", border_style="dim")
    before, after = text.safe(earlier.shown).splitlines(), text.safe(one.shown).splitlines()
    shown = Text()
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]:
        shown.append(line + "\n", style=styles.get(line[:1], ""))
    title = f"changes since round {earlier.round}"
    return Panel(shown or Text("the same text"), title=title, title_align="left", border_style="dim")


def _planned(output: str) -> Table | None:
    """Return rows that a row proposes, one a line; ``None`` of any other text."""
    try:
        rows = json.loads(output)["rows"]
        named = [(row["id"], row["objective"], row) for row in rows]
    except (ValueError, KeyError, TypeError):
        return None
    made = table("proposed row", "objective", "depends on", "besides")
    for name, objective, row in named:
        besides = [
            f"{column}: {cell}" for column, cell in row.items() if column not in {"id", "objective", "depends_on"}
        ]
        cells = (name, objective, row.get("depends_on", ""), "; ".join(besides))
        made.add_row(*(Text(text.safe(str(cell))) for cell in cells))
    return made


def _who(view: ReviewView) -> str:
    terms = view.terms
    if not terms.reviewers:
        return "anyone who may review"
    people = [f"{one} ({', '.join(terms.members[one])})" if one in terms.members else one for one in terms.reviewers]
    return (" and " if terms.everyone else ", ").join(people)


def _due(view: ReviewView) -> Text:
    return Text(text.moment(view.due_at), style="bold red" if view.overdue else "yellow" if view.escalated else "")
