"""The records on SQLite and on a real PostgreSQL: one suite, the same answers."""

import asyncio
import importlib
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from activities.artifacts.contracts import Text, Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.llm.contracts import IdempotencyMismatch, ModelAnswer, ModelRequest
from activities.llm.incidents import FailedRequest
from activities.notifications.contracts import Notification
from activities.notifications.inbox import InboxNotifier
from activities.notifications.inbox_reading import InboxFilter, SqlInbox
from activities.records.calls import SqlCallLedger
from activities.records.contracts import (
    RowChange,
    RowChanges,
    RowRecord,
    RowState,
    RunChange,
    RunOpening,
    RunState,
    StepEvent,
    StepRecord,
    StepState,
)
from activities.records.database import migrate
from activities.records.incidents import SqlIncidents
from activities.records.journal import SqlStepJournal
from activities.records.keeper import SqlRecordKeeper
from activities.records.queries import RecordQueries
from temporal.contract import StepRef

MIGRATION = importlib.import_module(
    "activities.records.migrations.versions.0023_keep_what_kept_deployments_from_answering"
)
AT = "2026-11-23T05:00:00.000000Z"
LATER = "2026-11-23T05:00:10.000000Z"
PLAN = digest_of(b"plan")


@pytest.fixture
async def keeper(engine: Engine, tmp_path: Path) -> SqlRecordKeeper:
    keeper = SqlRecordKeeper(engine, Texts(FolderArtifactStore(tmp_path / "artifacts")))
    await keeper.open_run(RunOpening(run="r", plan=PLAN, title="Run", started_at=AT))
    rows = [{"row": name, "position": place, "objective": f"Do {name}"} for place, name in enumerate(("a", "b", "c"))]
    await keeper.open_rows("r", rows)
    return keeper


@pytest.fixture
async def queries(engine: Engine) -> RecordQueries:
    return RecordQueries(engine)


def asked(row: str, **step: str) -> ModelRequest:
    return ModelRequest(step=StepRef(run="r", row=row, step="model", **step), prompt=Text.by_value("Say hello"))


def failed(call: ModelRequest, number: int) -> FailedRequest:
    told = {"deployment": "front", "model": "openai/a", "fault": "ModelUnavailable", "status": 503}
    return FailedRequest.model_validate({"step": call.step, "number": number, **told})


def record(row: str, state: RowState = RowState.SUCCEEDED, attempt: int = 1) -> RowRecord:
    output = "It's done"
    return RowRecord(
        step=StepRef(run="r", row=row, step="record", attempt=attempt),
        state=state,
        started_at=AT,
        finished_at=LATER,
        output=Text(digest=digest_of(output.encode()), size=len(output), inline=output),
        cost_usd=0.5,
        steps=(StepRecord(step="model", summary="asked", started_at=AT, finished_at=LATER, detail={"tokens": 3}),),
    )


async def test_migrating_twice_changes_nothing(engine: Engine, keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    migrate(engine)
    assert len(await queries.rows("r")) == 3


async def test_a_run_opened_twice_is_one_run(keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    await keeper.open_run(RunOpening(run="r", plan=PLAN, title="Another", started_at=LATER))
    assert [run.title for run in await queries.runs()] == ["Run"]


async def test_a_row_recorded_twice_is_one_record_with_one_event(
    keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    await keeper.record_row(record("a"))
    await keeper.record_row(record("a"))
    row = await queries.row("r", "a")
    assert row
    assert (row.state, row.output, row.cost_usd) == (RowState.SUCCEEDED, "It's done", 0.5)
    assert [step.detail for step in row.steps] == [{"tokens": 3}]
    assert [event.kind for event in await queries.events(0, run="r")] == ["row"]


async def test_a_late_record_of_an_earlier_execution_changes_nothing(
    keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    await keeper.record_row(record("a", attempt=2))
    await keeper.record_row(record("a", RowState.FAILED, attempt=1))
    row = await queries.row("r", "a")
    assert row
    assert row.state is RowState.SUCCEEDED


async def test_a_late_change_never_takes_back_an_end(keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    await keeper.record_row(record("a"))
    await keeper.change_rows(RowChanges(run="r", at=LATER, changes=(RowChange(row="a", state=RowState.REVIEW),)))
    assert (await queries.rows("r", state="succeeded"))[0].row == "a"


async def test_a_late_change_of_a_run_never_overwrites_a_newer_one(
    keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    await keeper.change_run(RunChange(run="r", state=RunState.COMPLETED, sequence=3, at=LATER))
    await keeper.change_run(RunChange(run="r", state=RunState.RUNNING, sequence=2, at=LATER))
    run = await queries.run("r")
    assert run
    assert run.state is RunState.COMPLETED


async def test_counts_costs_and_pages_add_up(keeper: SqlRecordKeeper, queries: RecordQueries) -> None:
    await keeper.record_row(record("a"))
    await keeper.record_row(record("b", RowState.FAILED))
    run = await queries.run("r")
    assert run
    assert run.counts == {RowState.SUCCEEDED: 1, RowState.FAILED: 1, RowState.PENDING: 1}
    assert run.cost_usd == 1.0
    first = await queries.rows("r", limit=2)
    rest = await queries.rows("r", after=first[-1].position)
    assert [row.row for row in (*first, *rest)] == ["a", "b", "c"]
    assert [row.row for row in await queries.rows("r", text="DO b")] == ["b"]
    assert await queries.rows("r", text="100%") == []


async def test_the_first_answer_under_a_key_stays(engine: Engine) -> None:
    ledger = SqlCallLedger(engine)
    first, second = (
        ModelAnswer(output=Text(digest=digest_of(text.encode()), size=1, inline=text), group="g", model="m")
        for text in "12"
    )
    call = asked("a")
    assert (await ledger.begin(call)).answer is None
    assert (await ledger.begin(call)).answer is None
    assert await ledger.record(call, first) == first
    assert await ledger.record(call, second) == first
    assert (await ledger.begin(call)).answer == first


async def test_requests_that_failed_or_were_cut_off_are_counted_and_those_never_sent_are_not(engine: Engine) -> None:
    ledger, call = SqlCallLedger(engine), asked("a")
    assert (await ledger.begin(call)).used == 0
    await ledger.ended(call.step.key)
    assert (await ledger.begin(call)).used == 0, "nothing was sent"
    await SqlIncidents(engine).failed(failed(call, 1))
    await ledger.ended(call.step.key)
    assert (await ledger.begin(call)).used == 1
    assert (await ledger.begin(call)).used == 2, "the start before never ended"


async def test_a_key_that_was_used_for_another_request_is_refused(engine: Engine) -> None:
    ledger, call = SqlCallLedger(engine), asked("a")
    await ledger.begin(call)
    with pytest.raises(IdempotencyMismatch, match=call.step.key):
        await ledger.begin(call.model_copy(update={"max_tokens": 3}))


async def test_a_row_tells_its_failed_requests_and_no_other_row_does(
    engine: Engine, keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    """Also of a step with a context, whose key has one part more."""
    await keeper.open_rows("r", [{"row": "a/model", "position": 3, "objective": "Do"}])
    ledger, call = SqlCallLedger(engine), asked("a", context="notes")
    await ledger.begin(call)
    await SqlIncidents(engine).failed(failed(call, 1))
    await SqlIncidents(engine).failed(failed(asked("a/model"), 1))
    await ledger.begin(call)
    detail = await queries.row("r", "a")
    assert detail
    told = [(one.step, one.number, one.deployment, one.model, one.fault, one.status) for one in detail.failed_requests]
    assert told == [
        ("model", 1, "front", "openai/a", "ModelUnavailable", 503),
        ("model", 2, "", "", "CutOff", None),
    ]


async def test_failures_of_before_are_told_apart_by_their_keys(engine: Engine, keeper: SqlRecordKeeper) -> None:
    await keeper.open_rows("r", [{"row": "a/model", "position": 3, "objective": "Do"}])
    columns = "key, deployment, code, message, milliseconds, at"
    old = f"INSERT INTO call_failures ({columns}) VALUES (:key, 'm', 'F', '', 0, '')"  # noqa: S608 -- ours
    keys = {
        "catalog/r/row/a/model/3": ("r", "a", "model", 3),
        "catalog/r/row/a/model/model/1": ("r", "a/model", "model", 1),
        "catalog/r/row/b/judge/0/sha256:12": ("r", "b", "judge", 0),
        "catalog/gone/row/a/model/0": ("", "", "", 0),
        "odd": ("", "", "", 0),
    }
    with engine.begin() as connection:
        connection.execute(text(old), [{"key": key} for key in keys])
        MIGRATION._place(connection)
        told = connection.execute(text("SELECT key, run, row, step, ordinal FROM call_failures"))
        assert {key: tuple(rest) for key, *rest in told} == keys


async def test_a_notification_is_delivered_once(engine: Engine) -> None:
    notification = Notification(step=StepRef(run="r", row="a", step="notify"), recipients=("ana", "bo"), title="Done")
    notifier = InboxNotifier(engine)
    deliveries = await asyncio.gather(*(notifier.deliver(notification) for _ in range(5)))
    assert sum(delivery.delivered for delivery in deliveries) == 1
    inbox = SqlInbox(engine)
    assert sorted(note.recipient for note in await inbox.notifications(InboxFilter())) == ["ana", "bo"]


async def test_notifications_are_paged_newest_first_and_marked_as_read_by_whom_they_are_for(
    engine: Engine, keeper: SqlRecordKeeper
) -> None:
    await keeper.open_run(RunOpening(run="s", plan=PLAN, title="Hers", submitter="ana", started_at=AT))
    notifier, inbox = InboxNotifier(engine), SqlInbox(engine)
    for row, recipients in (("a", ("ana", "bo")), ("b", ("role:cfo",)), ("c", ())):
        step = StepRef(run="s", row=row, step="notify")
        await notifier.deliver(Notification(step=step, recipients=recipients, title=row))
    own = InboxFilter(recipients=("ana", "role:cfo"))
    pages = []
    page = await inbox.notifications(own, 1)
    while page:
        pages.append((page[0].row, page[0].recipient))
        page = await inbox.notifications(own.model_copy(update={"before": page[0].cursor}), 1)
    assert pages == [("c", "submitter"), ("b", "role:cfo"), ("a", "ana")]
    assert await inbox.unread(own) == 3
    first = StepRef(run="s", row="a", step="notify").key
    assert await inbox.mark_read(own.model_copy(update={"keys": (first,)})) == 1
    assert await inbox.mark_read(own) == 2
    assert await inbox.mark_read(own) == 0
    assert [one.recipient for one in await inbox.notifications(InboxFilter(unread=True))] == ["bo"]


async def test_steps_are_told_while_they_happen(
    engine: Engine, keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    step = StepRef(run="r", row="a", step="policy")
    async with SqlStepJournal(engine) as journal:
        journal.note(StepEvent(step=step, state=StepState.RUNNING, at=AT))
        journal.note(StepEvent(step=step, state=StepState.DONE, at=LATER))
    row = await queries.row("r", "a")
    assert row
    assert row.state is RowState.RUNNING
    assert [(one.step, one.state) for one in row.steps] == [("policy", StepState.DONE)]
    assert [event.body["state"] for event in await queries.events(0, run="r")] == ["running", "done"]


async def test_what_a_step_is_at_is_told_until_it_ends(
    engine: Engine, keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    step = StepRef(run="r", row="a", step="code")
    told = [
        (StepEvent(step=step, state=StepState.RUNNING, at=AT), ""),
        (StepEvent(step=step, state=StepState.RUNNING, at=AT, message="1 of 2"), "1 of 2"),
        (StepEvent(step=step, state=StepState.RUNNING, at=LATER, message="2 of 2"), "2 of 2"),
        (StepEvent(step=step, state=StepState.DONE, at=LATER), ""),
        (StepEvent(step=step, state=StepState.RUNNING, at=LATER, message="too late"), ""),
    ]
    for event, shown in told:
        async with SqlStepJournal(engine) as journal:
            journal.note(event)
        row = await queries.row("r", "a")
        assert row
        assert [(one.step, one.summary) for one in row.steps] == [("code", shown)]


async def test_rows_that_began_are_told_with_the_steps_of_their_newest_execution(
    keeper: SqlRecordKeeper, queries: RecordQueries
) -> None:
    await keeper.record_row(record("b"))
    await keeper.record_row(record("b", attempt=2))
    spans = await queries.spans("r", limit=10)
    assert [(span.row, span.attempt, span.started_at) for span in spans] == [("b", 2, AT)]
    assert {step.attempt for step in spans[0].steps} == {2}
    assert await queries.spans("r", board="elsewhere", limit=10) == []
