"""What tables show, as text."""

from io import StringIO

from rich.console import Console

from activities.records.contracts import RowState, StepState
from activities.records.views import RowDetail, StepView
from activities.reviews.contracts import ReviewState, ReviewTerms
from api.cli import review_tables, tables
from api.review_models import ReviewDetail, ReviewRound


def shown(row: RowDetail) -> str:
    text = StringIO()
    Console(file=text, width=120).print(tables.row(row))
    return text.getvalue()


def test_calls_are_numbered_within_their_execution() -> None:
    done = [
        StepView(
            attempt=attempt, step="model", ordinal=ordinal, state=StepState.DONE, summary=f"call-{attempt}-{ordinal}"
        )
        for attempt, ordinal in ((1, 0), (1, 1), (2, 1000), (2, 1001))
    ]
    text = shown(RowDetail(run="r", row="a", position=0, state=RowState.SUCCEEDED, steps=done))
    lines = {line.split()[-1]: line.split()[:3] for line in text.splitlines() if "call-" in line}
    assert lines["call-1-0"][:2] == ["1", "model"]
    assert lines["call-1-1"] == ["1", "model", "2"]
    assert lines["call-2-1000"][1:] == ["model", "✓"]
    assert lines["call-2-1001"] == ["2", "model", "2"]


def test_a_row_says_which_row_planned_it() -> None:
    text = shown(RowDetail(run="r", row="a", position=0, state=RowState.PENDING, planned_by="plan"))
    assert "planned by   plan" in text


def test_whoever_reviews_rows_that_are_proposed_sees_them_as_a_table() -> None:
    proposed = (
        '{"rows":[{"id":"one","objective":"Write it","risk":"high"},{"depends_on":"one","id":"b","objective":"Go"}]}'
    )
    for output, lines in (
        (proposed, (["one", "Write", "it", "risk:", "high"], ["b", "Go", "one"])),
        ('{"rows":["a"]}', ()),
    ):
        waiting = ReviewRound(
            run="r",
            row="a",
            attempt=1,
            round=1,
            state=ReviewState.WAITING,
            terms=ReviewTerms(),
            opened_at="",
            output=output,
        )
        text = StringIO()
        Console(file=text, width=120).print(*review_tables.rounds(ReviewDetail(rounds=[waiting])))
        table = [line.split() for line in text.getvalue().splitlines()]
        assert all(line in table for line in lines)
        assert ("besides" in text.getvalue()) is bool(lines)
