"""Approval rules: which rows they hold for, who decides, and until when."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.reviews.calendar import BusinessHours
from activities.reviews.contracts import InvalidApprovalRules, ReviewOpening, ReviewTerms
from activities.reviews.planner import RulePlanner
from activities.reviews.rules import ApprovalRules
from activities.reviews.rules_file import load_approval_rules
from catalogs.row import CatalogRow, OnDeadline, Risk
from temporal.contract import StepRef

TREASURY = """
roles:
  cfo: [ana]
  treasury-lead: [bo, cara]
hours: {time_zone: Europe/Berlin, from: 09:00, to: 17:00, holidays: [2026-12-25]}
rules:
  - name: hedging
    board: treasury*
    intent: hedg*
    reviewers: [role:cfo, role:treasury-lead]
    approvals: any
    deadline: 2d
  - name: transfers
    board: treasury*
    risk: high
    reviewers: [role:cfo, role:treasury-lead, dan]
    approvals: 2
    four_eyes: yes
    escalate: {to: [role:cfo], after: 4h}
"""
FRIDAY_EVENING = "2026-11-20T15:00:00.000000Z"  # 16:00 in Berlin


def rules(text: str, folder: Path) -> ApprovalRules:
    path = folder / "approvals.yaml"
    path.write_text(text)
    return load_approval_rules(path)


def row(**given_: Any) -> CatalogRow:
    return CatalogRow(id="a", line=2, objective="Do it", **given_)


def terms(planner: RulePlanner, planned: CatalogRow, opened_at: str = FRIDAY_EVENING, **given_: Any) -> ReviewTerms:
    step = StepRef(run="r", row="a", step="review-terms")
    return planner.terms(ReviewOpening(step=step, round=1, row=planned, opened_at=opened_at, **given_))


def test_treasury_and_hedging_takes_the_cfo_or_a_treasury_lead(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    hedge = row(board="treasury", task="hedging plan")
    assert planner.reasons(hedge) == ("rule 'hedging' asks for the approval of cfo or treasury-lead",)
    found = terms(planner, hedge)
    assert found.reviewers == ("role:cfo", "role:treasury-lead")
    assert found.people == ("ana", "bo", "cara")
    assert (found.approvals, found.everyone, found.rule) == (1, False, "hedging")


def test_the_intent_is_a_label_where_there_is_one(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    assert planner.reasons(row(board="treasury", task="plan", labels={"intent": "hedge"}))
    assert not planner.reasons(row(board="treasury", task="hedging", labels={"intent": "report"}))


def test_a_rule_names_the_least_risk(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    assert not planner.reasons(row(board="treasury", task="pay", risk=Risk.MEDIUM))
    assert planner.reasons(row(board="treasury", task="pay", risk=Risk.CRITICAL)) == (
        "rule 'transfers' asks for the approval of 2 of cfo, treasury-lead, dan",
    )


def test_a_catalog_cannot_choose_its_own_judges(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    mine = row(board="treasury", task="hedging", reviewers=("friend",), quorum=2)
    found = terms(planner, mine)
    assert "friend" not in found.reviewers
    assert found.approvals == 2


def test_without_a_rule_the_rows_own_columns_hold() -> None:
    found = terms(RulePlanner(ApprovalRules()), row(reviewers=("ana",), quorum=1, deadline=86_400, escalate=("bo",)))
    assert found.reviewers == ("ana",)
    assert found.remind_at == "2026-11-21T03:00:00.000000Z"
    assert found.escalate_at == "2026-11-21T09:00:00.000000Z"
    assert found.due_at == "2026-11-21T15:00:00.000000Z"


def test_deadlines_count_working_hours_where_rules_name_them(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    # One hour is left on Friday; the other on Monday morning.
    found = terms(planner, row(board="treasury", task="hedging", deadline=7200))
    assert found.due_at == "2026-11-23T09:00:00.000000Z"


def test_a_day_of_a_deadline_is_a_working_day(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    found = terms(planner, row(board="treasury", task="hedging"), "2026-11-23T08:00:00.000000Z")
    assert found.remind_at == "2026-11-23T16:00:00.000000Z"
    assert found.due_at == "2026-11-24T16:00:00.000000Z"


def test_a_short_deadline_has_no_reminder() -> None:
    assert terms(RulePlanner(ApprovalRules()), row(deadline=60)).remind_at is None


def test_silence_takes_row_and_policy(tmp_path: Path) -> None:
    asks, silent = row(deadline=60, on_deadline=OnDeadline.APPROVE), row(deadline=60)
    planner = RulePlanner(ApprovalRules())
    assert terms(planner, asks, silence_approves=True).on_deadline is OnDeadline.APPROVE
    assert terms(planner, asks).on_deadline is OnDeadline.REJECT
    assert terms(planner, silent, silence_approves=True).on_deadline is OnDeadline.REJECT
    insists = "rules: [{name: all, reviewers: [ana], on_deadline: approve}]"
    lenient = RulePlanner(rules(insists, tmp_path))
    assert terms(lenient, silent, silence_approves=True).on_deadline is OnDeadline.REJECT


def test_four_eyes_come_from_rule_or_policy(tmp_path: Path) -> None:
    planner = RulePlanner(rules(TREASURY, tmp_path))
    assert terms(planner, row(board="treasury", task="pay", risk=Risk.HIGH)).four_eyes
    assert not terms(planner, row(board="treasury", task="hedging")).four_eyes
    assert terms(planner, row(board="treasury", task="hedging"), four_eyes=True).four_eyes


def test_every_fault_of_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        "roles: {cfo: [ana]}\n"
        "hours: {time_zone: Mars/Base, from: 17:00, to: 25:00}\n"
        "rules:\n"
        "  - {name: one, reviewers: [role:ceo], approvals: most}\n"
        "  - {name: two, reviewers: []}\n"
        "  - {name: three, reviewers: [ana], deadline: soon, colour: red}\n"
    )
    with pytest.raises(InvalidApprovalRules) as caught:
        rules(text, tmp_path)
    told = "\n".join(caught.value.details["faults"])
    for line, fault in (
        (2, "must be a time zone such as Europe/Berlin"),
        (2, "must be a time of day such as 09:00"),
        (4, "there is no role 'ceo' under roles"),
        (4, "must be any, all or a number from 1"),
        (5, "at least 1 item"),
        (6, "a duration such as 45m"),
        (6, "Extra inputs are not permitted"),
    ):
        assert any(one.startswith(f"line {line}: ") and fault in one for one in told.splitlines()), (fault, told)


@pytest.mark.parametrize(("text", "fault"), [("- [", "not YAML"), (None, "cannot be read")])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "approvals.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidApprovalRules, match=fault):
        load_approval_rules(path)


WORK = BusinessHours(
    ZoneInfo("Europe/Berlin"),
    frozenset({"mon", "tue", "wed", "thu", "fri"}),
    time(9),
    time(17),
    frozenset({date(2026, 12, 25)}),
)


@pytest.mark.parametrize(
    ("moment", "hours", "expected"),
    [
        ("2026-11-23T09:00:00+00:00", 2, "2026-11-23T11:00:00+00:00"),
        ("2026-11-23T05:00:00+00:00", 1, "2026-11-23T09:00:00+00:00"),
        ("2026-11-21T12:00:00+00:00", 8, "2026-11-23T16:00:00+00:00"),
        ("2026-12-24T15:30:00+00:00", 1, "2026-12-28T08:30:00+00:00"),
        ("2026-03-27T15:00:00+00:00", 2, "2026-03-30T08:00:00+00:00"),
    ],
    ids=["within a day", "before work", "on a weekend", "over a holiday", "over a clock change"],
)
def test_working_time_passes_in_working_hours(moment: str, hours: int, expected: str) -> None:
    found = WORK.after(datetime.fromisoformat(moment), timedelta(hours=hours))
    assert found == datetime.fromisoformat(expected)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- given one


@given(MOMENTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_working_time_adds_up(moment: datetime, first: int, second: int) -> None:
    once = WORK.after(moment, timedelta(seconds=first + second))
    twice = WORK.after(WORK.after(moment, timedelta(seconds=first)), timedelta(seconds=second))
    assert once == twice or second == 0
