"""The register on SQLite and PostgreSQL: what the inbox finds, and that late repetitions change nothing."""

from typing import Any

import pytest
from sqlalchemy import Engine, update

from activities.artifacts.contracts import Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.audit import reading
from activities.records.contracts import RowChange, RowChanges, RowState, RunOpening
from activities.records.keeper import SqlRecordKeeper
from activities.records.tables import TaskRecord
from activities.reviews.contracts import ReviewEntry, ReviewRecord, ReviewState, ReviewTerms
from activities.reviews.register import SqlReviewRegister
from activities.reviews.views import ReviewFilter
from temporal.contract import StepRef

AT = "2026-11-23T09:00:00.000000Z"
ROWS = (("pay/a", "pay", "low"), ("pay/b", "pay", "high"), ("ops/c", "ops", "high"))


def record(row: str, sequence: int = 1, **given: Any) -> ReviewRecord:
    values: dict[str, Any] = {
        "round": 1,
        "state": ReviewState.WAITING,
        "terms": ReviewTerms(),
        "opened_at": AT,
        **given,
    }
    return ReviewRecord(step=StepRef(run="r", row=row, step="review"), sequence=sequence, **(values | given))


@pytest.fixture
async def register(engine: Engine, tmp_path: Any) -> SqlReviewRegister:
    keeper = SqlRecordKeeper(engine, Texts(FolderArtifactStore(tmp_path / "artifacts")))
    await keeper.open_run(
        RunOpening(run="r", plan=digest_of(b"plan"), title="Payments", submitter="sam", started_at=AT)
    )
    await keeper.open_rows(
        "r",
        [
            {"row": row, "position": position, "board": board, "risk": risk, "title": row.upper(), "objective": "Do it"}
            for position, (row, board, risk) in enumerate(ROWS)
        ],
    )
    changes = tuple(RowChange(row=row, state=RowState.REVIEW) for row, _, _ in ROWS)
    await keeper.change_rows(RowChanges(run="r", at=AT, changes=changes))
    return SqlReviewRegister(engine)


async def found(register: SqlReviewRegister, **wanted: Any) -> list[str]:
    return [view.row for view in await register.reviews(ReviewFilter(**wanted))]


async def test_the_inbox_shows_what_a_person_may_decide_on(register: SqlReviewRegister) -> None:
    members = {"role:cfo": ("cara",)}
    await register.record(record("pay/a", terms=ReviewTerms(reviewers=("ana",))))
    await register.record(record("pay/b", terms=ReviewTerms(reviewers=("role:cfo",), members=members)))
    await register.record(record("ops/c"))
    assert await found(register, reviewers=("ana",)) == ["ops/c", "pay/a"]
    assert await found(register, reviewers=("cara",)) == ["ops/c", "pay/b"]
    assert await found(register, reviewers=("dan", "role:cfo")) == ["ops/c", "pay/b"]
    assert await found(register) == ["ops/c", "pay/a", "pay/b"]
    assert await register.waiting(ReviewFilter(reviewers=("ana",))) == 2


async def test_what_somebody_submitted_under_four_eyes_does_not_wait_for_them(register: SqlReviewRegister) -> None:
    await register.record(record("pay/a", terms=ReviewTerms(four_eyes=True)))
    await register.record(record("pay/b"))
    assert await found(register, reviewers=("sam",), person="sam") == ["pay/b"]
    assert await found(register, reviewers=("ana",), person="ana") == ["pay/a", "pay/b"]


async def test_whom_a_review_may_be_escalated_to_is_not_asked_before(register: SqlReviewRegister) -> None:
    members = {"role:cfo": ("cara",), "role:board": ("dan",)}
    terms = ReviewTerms(reviewers=("role:cfo",), members=members, escalate_to=("role:board",))
    await register.record(record("pay/a", 1, terms=terms))
    assert await found(register, reviewers=("dan",)) == []
    later = terms.model_copy(update={"reviewers": ("role:cfo", "role:board")})
    await register.record(record("pay/a", 2, terms=later, escalated=True))
    assert await found(register, reviewers=("dan",)) == ["pay/a"]


async def test_the_inbox_is_filtered_and_the_most_urgent_comes_first(register: SqlReviewRegister) -> None:
    await register.record(record("pay/a", terms=ReviewTerms(due_at="2026-11-25T09:00:00.000000Z")))
    await register.record(record("pay/b", terms=ReviewTerms(due_at="2026-11-24T09:00:00.000000Z")))
    await register.record(record("ops/c"))
    assert await found(register) == ["pay/b", "pay/a", "ops/c"]
    assert await found(register, board="pay") == ["pay/b", "pay/a"]
    assert await found(register, risk="high") == ["pay/b", "ops/c"]
    assert await found(register, due_before="2026-11-24T12:00:00.000000Z") == ["pay/b"]
    assert await found(register, text="PAY/A") == ["pay/a"]
    assert await found(register, boards=frozenset({"ops"})) == ["ops/c"]
    assert await found(register, limit=1, offset=1) == ["pay/a"]


async def test_a_late_repetition_changes_nothing(register: SqlReviewRegister) -> None:
    entry = ReviewEntry(kind="approve", round=1, at=AT, by="ana")
    assert await register.record(record("pay/a", 2, state=ReviewState.APPROVED, entries=(entry,), decided_by="ana"))
    assert not await register.record(record("pay/a", 1))
    assert not await register.record(record("pay/a", 2))
    view = (await register.rounds("r", "pay/a"))[0]
    assert (view.state, view.entries, view.run_title, view.submitter) == (
        ReviewState.APPROVED,
        [entry],
        "Payments",
        "sam",
    )


async def test_everything_a_person_did_stands_in_the_audit_log_once(
    register: SqlReviewRegister, engine: Engine
) -> None:
    claim = ReviewEntry(kind="claim", round=1, at=AT, by="ana", via="console")
    vote = ReviewEntry(kind="approve", round=1, at=AT, by="ana", comment="fine")
    await register.record(record("pay/a", 1, entries=(ReviewEntry(kind="opened", round=1, at=AT), claim)))
    await register.record(record("pay/a", 2, entries=(ReviewEntry(kind="opened", round=1, at=AT), claim, vote)))
    acts = [entry for entry in reading.entries(engine) if entry["kind"] == "review.acted"]
    assert [(one["actor"], one["subject"], one["detail"]["kind"]) for one in acts] == [
        ("ana", "run/r/row/pay/a", "claim"),
        ("ana", "run/r/row/pay/a", "approve"),
    ]


async def test_a_row_that_no_longer_waits_is_in_no_inbox(register: SqlReviewRegister, engine: Engine) -> None:
    await register.record(record("pay/a"))
    row = TaskRecord.__table__  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(update(row).where(row.c.row == "pay/a").values(state=RowState.CANCELLED.value))
    assert await found(register) == []
    assert await found(register, state=None) == ["pay/a"]


async def test_a_new_reviewer_replaces_the_old_one(register: SqlReviewRegister) -> None:
    await register.record(record("pay/a", 1, terms=ReviewTerms(reviewers=("ana",))))
    await register.record(record("pay/a", 2, terms=ReviewTerms(reviewers=("bo",))))
    assert await found(register, reviewers=("ana",)) == []
    assert await found(register, reviewers=("bo",)) == ["pay/a"]
