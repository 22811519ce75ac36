"""Where the bars of a timeline stand."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.records.contracts import RowState, StepState
from activities.records.database import timestamp
from activities.records.views import RowDetail, RowSpan, StepView
from api.console.timeline import MOST_LANES, NARROWEST, row_timeline, run_timeline

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return timestamp(NOON + timedelta(seconds=seconds))


def step(name: str, start: float, end: float | None, attempt: int = 1) -> StepView:
    state = StepState.RUNNING if end is None else StepState.DONE
    ended = "" if end is None else at(end)
    return StepView(attempt=attempt, step=name, ordinal=0, state=state, started_at=at(start), finished_at=ended)


def span(row: str, state: RowState, start: float | None, end: float | None, *steps: StepView) -> RowSpan:
    started, finished = (None if one is None else at(one) for one in (start, end))
    return RowSpan(row=row, state=state, started_at=started, finished_at=finished, steps=list(steps))


def test_bars_stand_where_their_time_was() -> None:
    rows = [
        span("a", RowState.SUCCEEDED, 0, 40, step("model", 10, 30)),
        span("b", RowState.SUCCEEDED, 50, 100, step("sandbox", 75, 100)),
    ]
    timeline = run_timeline(rows, NOON + timedelta(seconds=100))
    assert timeline is not None
    assert [[(bar.kind, bar.offset, bar.width) for bar in lane.bars] for lane in timeline.lanes] == [
        [("whole", 0, 40), ("model", 10, 20)],
        [("whole", 50, 50), ("sandbox", 75, 25)],
    ]
    assert [lane.took for lane in timeline.lanes] == ["40 s", "50 s"]
    assert timeline.kinds == ["model", "sandbox"]


def test_what_is_under_way_reaches_until_now() -> None:
    rows = [span("a", RowState.RUNNING, 0, None, step("model", 20, None))]
    timeline = run_timeline(rows, NOON + timedelta(seconds=80))
    assert timeline is not None
    assert [(bar.offset, bar.width) for bar in timeline.lanes[0].bars] == [(0, 100), (25, 75)]


def test_a_row_in_review_shows_since_when_it_waits() -> None:
    rows = [span("a", RowState.REVIEW, 0, None, step("model", 0, 10))]
    timeline = run_timeline(rows, NOON + timedelta(days=7))
    assert timeline is not None
    waiting = timeline.lanes[0].bars[-1]
    assert waiting.told.startswith("waits for a person, 6 d 23 h")
    assert waiting.width > 99


def test_a_step_too_short_to_be_seen_is_drawn_all_the_same_and_inside() -> None:
    rows = [span("a", RowState.SUCCEEDED, 0, 86400, step("policy", 86399.9, 86400))]
    timeline = run_timeline(rows, NOON + timedelta(days=1))
    assert timeline is not None
    bar = timeline.lanes[0].bars[-1]
    assert (bar.offset, bar.width) == (100 - NARROWEST, NARROWEST)


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (0.4, ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (59, ["0", "10 s", "20 s", "30 s", "40 s", "50 s"]),
        (300, ["0", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (3 * 86400, ["0", "12 h", "1 d", "1.5 d", "2 d", "2.5 d", "3 d"]),
        (2000 * 86400, ["0", "365 d", "730 d", "1095 d", "1460 d", "1825 d"]),
    ],
)
def test_the_axis_has_few_marks_at_round_distances(seconds: float, marks: list[str]) -> None:
    timeline = run_timeline([span("a", RowState.SUCCEEDED, 0, seconds)], NOON)
    assert timeline is not None
    assert [told for _, told in timeline.ticks] == marks


def test_rows_past_those_shown_are_counted() -> None:
    rows = [span(f"row-{number}", RowState.SUCCEEDED, number, number + 1) for number in range(MOST_LANES + 1)]
    timeline = run_timeline(rows, NOON)
    assert timeline is not None
    assert (len(timeline.lanes), timeline.left_out) == (MOST_LANES, 1)


def test_nothing_begun_is_no_timeline() -> None:
    assert run_timeline([], NOON) is None
    assert run_timeline([span("a", RowState.PENDING, None, None)], NOON) is None


def test_a_rows_timeline_has_the_steps_of_its_newest_execution() -> None:
    steps = [step("model", 0, 5, attempt=1), step("model", 20, 30, attempt=2), step("policy", 10, 11, attempt=2)]
    row = RowDetail(run="r", row="a", position=0, state=RowState.REVIEW, attempt=2, steps=steps)
    timeline = row_timeline(row, NOON + timedelta(seconds=60))
    assert timeline is not None
    assert [(lane.label, lane.state, lane.took) for lane in timeline.lanes] == [
        ("policy", "succeeded", "1.0 s"),
        ("model", "succeeded", "10 s"),
        ("review", "review", "30 s"),
    ]
