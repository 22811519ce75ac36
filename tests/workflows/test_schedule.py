"""The order of rows, as a pure structure."""

from collections import Counter

from activities.artifacts.contracts import Text, digest_of
from activities.plans.contracts import RowHead
from activities.prompts.contracts import NamedText
from activities.records.contracts import RowState
from workflows.contracts import RowResult
from workflows.schedule import LOOKAHEAD, Schedule

PAGE = 10


def heads(*upstreams: tuple[int, ...], priorities: dict[int, int] | None = None) -> tuple[RowHead, ...]:
    dependants = Counter(index for upstream in upstreams for index in upstream)
    return tuple(
        RowHead(
            index=index,
            id=f"row-{index}",
            board="b",
            title="",
            priority=(priorities or {}).get(index, 3),
            upstream=upstream,
            dependants=dependants[index],
        )
        for index, upstream in enumerate(upstreams)
    )


def loaded(*upstreams: tuple[int, ...], priorities: dict[int, int] | None = None) -> Schedule:
    schedule = Schedule(len(upstreams), PAGE)
    assert schedule.load(0, heads(*upstreams, priorities=priorities)) == []
    return schedule


def ended(index: int, state: RowState = RowState.SUCCEEDED) -> RowResult:
    text = Text(digest=digest_of(str(index).encode()), size=1)
    return RowResult(index=index, row=f"row-{index}", state=state, output=text)


def taken(schedule: Schedule) -> list[int]:
    rows = []
    while (head := schedule.take()) is not None:
        rows.append(head.index)
    return rows


def test_rows_without_dependencies_are_ready_in_order_of_priority_then_position() -> None:
    assert taken(loaded((), (), (), priorities={2: 1})) == [2, 0, 1]


def test_a_row_waits_for_all_rows_it_depends_on() -> None:
    schedule = loaded((), (), (0, 1))
    assert taken(schedule) == [0, 1]
    schedule.finish(ended(0))
    assert taken(schedule) == []
    schedule.finish(ended(1))
    assert taken(schedule) == [2]


def test_a_row_gets_the_outputs_it_depends_on_under_their_ids() -> None:
    schedule = loaded((), (0,))
    taken(schedule)
    schedule.finish(ended(0))
    head = schedule.take()
    assert head is not None
    assert [one.name for one in schedule.upstream(head)] == ["row-0"]


def test_a_failed_row_blocks_its_dependants_and_theirs_and_nothing_else() -> None:
    schedule = loaded((), (0,), (1,), ())
    taken(schedule)
    blocked = schedule.finish(ended(0, RowState.FAILED))
    assert [head.index for head in blocked] == [1, 2]
    assert schedule.state(2) is RowState.BLOCKED
    assert schedule.state(3) is RowState.RUNNING


def test_a_very_long_chain_is_blocked_without_recursion() -> None:
    length = 5000
    schedule = Schedule(length, length)
    schedule.load(0, heads(*((index - 1,) if index else () for index in range(length))))
    schedule.take()
    assert len(schedule.finish(ended(0, RowState.FAILED))) == length - 1
    assert schedule.finished


def test_a_row_loaded_after_its_upstream_failed_is_blocked_at_once() -> None:
    everything = heads((), (0,))
    schedule = Schedule(2, 1)
    schedule.load(0, everything[:1])
    taken(schedule)
    schedule.finish(ended(0, RowState.DENIED))
    assert [head.index for head in schedule.load(1, everything[1:])] == [1]
    assert schedule.finished


def test_an_end_that_is_told_twice_counts_once() -> None:
    schedule = loaded((), (0,))
    taken(schedule)
    schedule.finish(ended(0))
    schedule.finish(ended(0, RowState.FAILED))
    assert schedule.state(0) is RowState.SUCCEEDED
    assert schedule.counts[RowState.SUCCEEDED] == 1


def test_an_output_is_forgotten_once_all_dependants_succeeded() -> None:
    schedule = loaded((), (0,), (0,))
    taken(schedule)
    schedule.finish(ended(0))
    taken(schedule)
    schedule.finish(ended(1))
    assert schedule.carried(paused=False, concurrency=1, sequence=0).outputs
    schedule.finish(ended(2))
    assert not schedule.carried(paused=False, concurrency=1, sequence=0).outputs


def test_a_row_whose_end_is_on_its_way_is_retried_once_it_is_told() -> None:
    schedule = loaded((), ())
    taken(schedule)
    schedule.retry_when_told(0)
    schedule = Schedule.restored(2, PAGE, schedule.carried(paused=False, concurrency=1, sequence=0))
    schedule.finish(ended(0, RowState.FAILED))
    schedule.finish(ended(1))
    assert [schedule.wanted_again(index) for index in (0, 0, 1)] == [True, False, False]
    schedule.retry_when_told(0)
    assert not schedule.wanted_again(0)


def test_retry_makes_failed_rows_and_what_they_blocked_pending_again() -> None:
    schedule = loaded((), (0,), ())
    taken(schedule)
    schedule.finish(ended(0, RowState.FAILED))
    schedule.finish(ended(2))
    assert schedule.retry([]) == [0, 1]
    assert schedule.load(0, heads((), (0,), ())) == []
    assert taken(schedule) == [0]
    assert schedule.attempt(0) == 2
    schedule.finish(ended(0))
    assert taken(schedule) == [1]


def test_a_retry_replays_paid_answers_unless_they_were_refused() -> None:
    schedule = loaded((), ())
    taken(schedule)
    schedule.finish(ended(0, RowState.FAILED))
    schedule.finish(ended(1, RowState.VERIFICATION_FAILED))
    schedule.retry([])
    assert [schedule.generation(0), schedule.generation(1)] == [0, 1]


def test_a_skipped_row_blocks_what_depends_on_it() -> None:
    schedule = loaded((), (0,))
    assert [head.index for head in schedule.skip(0)] == [0, 1]
    assert schedule.state(0) is RowState.SKIPPED
    assert schedule.state(1) is RowState.BLOCKED


def test_a_row_under_way_cannot_be_skipped() -> None:
    schedule = loaded(())
    taken(schedule)
    assert schedule.skip(0) == []


def test_a_run_carried_over_goes_on_where_it_was() -> None:
    everything = heads((), (0,), (1,), ())
    schedule = Schedule(4, 2)
    schedule.load(0, everything[:2])
    assert taken(schedule) == [0]
    carried = schedule.carried(paused=False, concurrency=7, sequence=3)
    assert carried.adrift[0].index == 0

    restored = Schedule.restored(4, 2, type(carried).model_validate_json(carried.model_dump_json()))
    while (page := restored.page_to_load()) is not None:
        restored.load(page, everything[page * 2 : page * 2 + 2])
    assert taken(restored) == [3]
    restored.finish(ended(0))
    assert taken(restored) == [1]
    restored.finish(ended(1))
    assert taken(restored) == [2]


def test_pages_are_loaded_only_while_nothing_is_ready_and_few_rows_wait() -> None:
    total = LOOKAHEAD * 3
    schedule = Schedule(total, LOOKAHEAD)
    everything = heads((), *(((0,),) * (total - 1)))
    assert schedule.page_to_load() == 0
    schedule.load(0, everything[:LOOKAHEAD])
    assert schedule.page_to_load() is None
    schedule.take()
    assert schedule.page_to_load() == 1
    schedule.load(1, everything[LOOKAHEAD : 2 * LOOKAHEAD])
    assert schedule.page_to_load() is None


def test_memory_does_not_grow_with_rows_that_have_ended() -> None:
    total = 3000
    schedule = Schedule(total, 100)
    everything = heads(*(((),) * total))
    for page in range(30):
        schedule.load(page, everything[page * 100 : page * 100 + 100])
        for index in taken(schedule):
            schedule.finish(ended(index))
    carried = schedule.carried(paused=False, concurrency=1, sequence=0)
    assert schedule.finished
    assert len(carried.model_dump_json()) < total + 300


def test_who_waits_for_a_row_that_plans_waits_for_what_it_planned() -> None:
    schedule = Schedule(3, PAGE)
    schedule.load(0, heads((), (), (0,)))
    assert taken(schedule) == [0, 1]
    schedule.finish(ended(1))
    assert schedule.let_go(1)
    schedule.expect({0: 1, 1: 1})
    schedule.recall(1, NamedText(name="row-1", text=Text(digest=digest_of(b"1"), size=1)))
    schedule.grow(4, 0)
    assert not schedule.finished
    assert schedule.finish(ended(0)) == []
    assert taken(schedule) == []
    assert schedule.page_to_load() == 0
    new = RowHead(index=3, id="new", upstream=(0, 1), dependants=1, unread=0)
    schedule.load(0, (*heads((), (), (0, 3)), new))
    assert taken(schedule) == [3]
    assert [one.name for one in schedule.upstream(new)] == ["row-1"]
    schedule.finish(RowResult(index=3, row="new", state=RowState.SUCCEEDED, output=ended(3).output))
    assert taken(schedule) == [2]
    waited = schedule.running[2]
    assert [one.name for one in schedule.upstream(waited)] == ["row-0", "new"]
    schedule.finish(ended(2))
    assert schedule.finished
    assert schedule.carried(paused=False, concurrency=1, sequence=0).outputs == {}


def test_rows_beyond_the_pages_at_hand_come_with_their_own() -> None:
    schedule = Schedule(2 * PAGE, PAGE)
    schedule.load(0, heads(*[()] * PAGE))
    assert schedule.take() is not None
    schedule.grow(2 * PAGE + 1, 0)
    assert len(taken(schedule)) == PAGE - 1
    assert schedule.page_to_load() == 1
