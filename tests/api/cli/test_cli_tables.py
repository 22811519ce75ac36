"""What tables show, as text."""

from io import StringIO

from rich.console import Console

from activities.records.contracts import RowState, StepState
from activities.records.views import RowDetail, StepView
from api.cli import tables


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
