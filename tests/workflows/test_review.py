"""The review state machine by itself: who counts, how many it takes, and that a round ends once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.artifacts.contracts import Text
from activities.reviews.contracts import DecisionKind, ReviewDecision, ReviewState, ReviewTerms
from temporal.names import ErrorCode
from workflows.review import ReviewProcess, ReviewRefused

AT = "2026-11-23T09:00:00.000000Z"
FORM = {"type": "object", "properties": {"ratio": {"type": "number"}}, "required": ["ratio"]}


def opened(**terms: Any) -> ReviewProcess:
    process = ReviewProcess("sam")
    process.open(("risk is high",), ReviewTerms(**terms), AT)
    return process


def decision(by: str, kind: str = "approve", **given_: Any) -> ReviewDecision:
    return ReviewDecision(by=by, kind=DecisionKind(kind), **{"comment": "because", **given_})


def refusal(process: ReviewProcess, given_: ReviewDecision) -> ErrorCode:
    before = (process.state, process.round, process.approvals, len(process.entries))
    with pytest.raises(ReviewRefused) as caught:
        process.take(given_, AT)
    assert (process.state, process.round, process.approvals, len(process.entries)) == before
    return caught.value.refusal


def test_before_it_is_opened_nobody_decides() -> None:
    assert refusal(ReviewProcess(), decision("ana")) is ErrorCode.REVIEW_NOT_OPEN


def test_the_first_decision_is_final_and_the_second_is_told_who_was_first() -> None:
    process = opened()
    process.take(decision("ana"), AT)
    assert process.state is ReviewState.APPROVED
    with pytest.raises(ReviewRefused, match="approved by ana already"):
        process.take(decision("bo", "reject"), AT)


@pytest.mark.parametrize("by", ["", "  "])
def test_nobody_decides_namelessly(by: str) -> None:
    assert refusal(opened(), decision(by)) is ErrorCode.INVALID_DECISION


@pytest.mark.parametrize("kind", ["reject", "request_changes", "comment"])
def test_what_needs_words_is_refused_without(kind: str) -> None:
    assert refusal(opened(), decision("ana", kind, comment=" ")) is ErrorCode.INVALID_DECISION


def test_a_decision_on_an_older_round_is_refused() -> None:
    process = opened()
    process.take(decision("ana", "request_changes"), AT)
    process.open(("again",), ReviewTerms(), AT)
    assert refusal(process, decision("bo", round=1)) is ErrorCode.STALE_ROUND
    assert process.take(decision("bo", round=2), AT).state is ReviewState.APPROVED


def test_only_named_reviewers_count() -> None:
    process = opened(reviewers=("ana", "role:cfo"), members={"role:cfo": ("cara",)})
    assert refusal(process, decision("bo")) is ErrorCode.NOT_A_REVIEWER
    assert refusal(process, decision("bo", roles=("treasury",))) is ErrorCode.NOT_A_REVIEWER
    assert process.take(decision("cara"), AT).state is ReviewState.APPROVED


def test_a_role_that_was_attested_counts() -> None:
    process = opened(reviewers=("role:cfo",))
    assert process.take(decision("dan", roles=("cfo",)), AT).state is ReviewState.APPROVED


def test_the_submitter_does_not_decide_under_four_eyes() -> None:
    process = opened(four_eyes=True)
    for kind in ("approve", "reject", "request_changes", "claim"):
        assert refusal(process, decision("sam", kind)) is ErrorCode.OWN_ROW
    assert process.take(decision("sam", "comment"), AT).state is ReviewState.WAITING
    assert process.take(decision("ana"), AT).state is ReviewState.APPROVED


def test_a_quorum_counts_persons_not_votes() -> None:
    process = opened(approvals=2)
    assert process.take(decision("ana"), AT).message == "1 of 2 approvals"
    assert refusal(process, decision("ana")) is ErrorCode.ALREADY_DECIDED
    assert process.take(decision("bo"), AT).state is ReviewState.APPROVED
    assert process.decided_by == "ana and bo"


def test_one_rejection_is_enough_unless_the_terms_want_more() -> None:
    assert opened(approvals=2).take(decision("ana", "reject"), AT).state is ReviewState.REJECTED
    process = opened(rejections=2)
    assert process.take(decision("ana", "reject"), AT).state is ReviewState.WAITING
    assert process.take(decision("bo", "reject"), AT).state is ReviewState.REJECTED


def test_a_person_may_change_their_mind_and_counts_once() -> None:
    process = opened(approvals=2, rejections=2)
    process.take(decision("ana", "reject"), AT)
    process.take(decision("ana"), AT)
    assert process.approvals == 1
    assert process.take(decision("bo", "reject"), AT).state is ReviewState.WAITING


def test_everyone_means_a_person_for_each_reviewer() -> None:
    members = {"role:cfo": ("ana", "bo"), "role:lead": ("ana",)}
    process = opened(reviewers=("role:cfo", "role:lead"), members=members, everyone=True)
    assert process.take(decision("ana"), AT).state is ReviewState.WAITING
    assert process.take(decision("bo"), AT).state is ReviewState.APPROVED


def test_two_persons_of_one_role_do_not_stand_for_two_roles() -> None:
    members = {"role:cfo": ("ana", "bo"), "role:lead": ("cara",)}
    process = opened(reviewers=("role:cfo", "role:lead"), members=members, everyone=True)
    process.take(decision("ana"), AT)
    assert process.take(decision("bo"), AT).state is ReviewState.WAITING
    assert process.take(decision("cara"), AT).state is ReviewState.APPROVED


def test_an_edit_alone_approves_what_it_made() -> None:
    process = opened()
    assert process.take(decision("ana", "edit", output=Text.by_value("better")), AT).state is ReviewState.APPROVED
    assert process.decision is not None
    assert process.decision.output == Text.by_value("better")


def test_an_edit_under_a_quorum_starts_over_with_the_editors_approval() -> None:
    process = opened(approvals=2)
    process.take(decision("bo"), AT)
    edit = decision("ana", "edit", output=Text.by_value("better"))
    assert process.take(edit, AT).state is ReviewState.EDITED
    process.open(("ana edited the text",), ReviewTerms(approvals=2), AT, carried=edit)
    assert process.approvals == 1
    assert refusal(process, decision("ana")) is ErrorCode.ALREADY_DECIDED
    assert process.take(decision("bo"), AT).state is ReviewState.APPROVED


def test_an_edit_to_nothing_is_refused() -> None:
    assert refusal(opened(), decision("ana", "edit", output=Text.by_value(""))) is ErrorCode.INVALID_DECISION
    assert refusal(opened(), decision("ana", "edit")) is ErrorCode.INVALID_DECISION


def test_drafts_are_limited() -> None:
    process = opened(rounds=2)
    assert process.take(decision("ana", "request_changes"), AT).state is ReviewState.CHANGES_REQUESTED
    process.open(("again",), ReviewTerms(rounds=2), AT)
    assert refusal(process, decision("ana", "request_changes")) is ErrorCode.INVALID_DECISION


def test_a_form_is_answered_before_anybody_approves() -> None:
    process = opened(form=FORM)
    assert refusal(process, decision("ana")) is ErrorCode.INVALID_DECISION
    with pytest.raises(ReviewRefused, match='ratio: found "half", expected number'):
        process.take(decision("ana", "answer", answers={"ratio": "half"}), AT)
    assert process.take(decision("ana", "answer", answers={"ratio": 0.5}), AT).state is ReviewState.APPROVED


def test_an_answer_without_a_form_is_refused() -> None:
    assert refusal(opened(), decision("ana", "answer", answers={"a": 1})) is ErrorCode.INVALID_DECISION


def test_a_claim_keeps_others_out_until_it_is_released() -> None:
    process = opened()
    process.take(decision("ana", "claim"), AT)
    assert refusal(process, decision("bo")) is ErrorCode.CLAIMED
    assert refusal(process, decision("bo", "claim")) is ErrorCode.CLAIMED
    process.take(decision("bo", "release"), AT)
    assert process.take(decision("bo"), AT).state is ReviewState.APPROVED


def test_what_nobody_claimed_cannot_be_released() -> None:
    assert refusal(opened(), decision("ana", "release")) is ErrorCode.INVALID_DECISION


def test_a_reviewer_or_a_caretaker_hands_the_review_on() -> None:
    process = opened(reviewers=("ana",))
    assert refusal(process, decision("bo", "reassign", reviewers=("bo",))) is ErrorCode.NOT_A_REVIEWER
    process.take(decision("op", "reassign", reviewers=("bo",), roles=("operator",)), AT)
    assert refusal(process, decision("ana")) is ErrorCode.NOT_A_REVIEWER
    assert process.take(decision("bo"), AT).state is ReviewState.APPROVED


def test_a_review_is_not_handed_to_too_few() -> None:
    process = opened(reviewers=("ana", "bo"), approvals=2)
    assert refusal(process, decision("ana", "reassign", reviewers=("cara",))) is ErrorCode.INVALID_DECISION
    assert refusal(process, decision("ana", "reassign")) is ErrorCode.INVALID_DECISION


def test_escalation_lets_others_decide_too() -> None:
    process = opened(reviewers=("ana",), escalate_to=("cara",))
    assert refusal(process, decision("cara")) is ErrorCode.NOT_A_REVIEWER
    process.escalate(AT)
    assert process.take(decision("cara"), AT).state is ReviewState.APPROVED


def test_escalation_takes_no_fewer_approvals() -> None:
    process = opened(reviewers=("ana", "bo"), everyone=True, escalate_to=("cara",))
    process.escalate(AT)
    assert process.take(decision("cara"), AT).message == "1 of 2 approvals"


ALL = {"reviewers": ("role:cfo", "role:lead"), "seats": ("role:cfo", "role:lead"), "everyone": True}
MEMBERS = {"role:cfo": ("ana", "bo"), "role:lead": ("cara",), "role:board": ("dan", "eve")}


def test_whom_an_all_round_was_escalated_to_takes_the_place_of_one_who_is_silent() -> None:
    process = opened(**ALL, members=MEMBERS, escalate_to=("role:board",))
    process.take(decision("ana"), AT)
    process.escalate(AT)
    assert process.take(decision("bo"), AT).state is ReviewState.WAITING
    assert process.take(decision("dan"), AT).state is ReviewState.APPROVED
    alone = opened(**ALL, members=MEMBERS, escalate_to=("role:board",))
    alone.escalate(AT)
    assert alone.take(decision("eve"), AT).message == "1 of 2 approvals"
    assert refusal(alone, decision("eve")) is ErrorCode.ALREADY_DECIDED
    assert alone.take(decision("dan"), AT).state is ReviewState.APPROVED


def test_an_all_round_that_was_escalated_and_then_handed_on_asks_all_of_the_new_ones() -> None:
    process = opened(**ALL, members=MEMBERS, escalate_to=("role:board",))
    process.escalate(AT)
    process.take(decision("op", "reassign", reviewers=("fay", "gil"), roles=("operator",)), AT)
    assert refusal(process, decision("dan")) is ErrorCode.NOT_A_REVIEWER
    assert process.take(decision("fay"), AT).message == "1 of 2 approvals"
    assert process.take(decision("gil"), AT).state is ReviewState.APPROVED


def test_where_all_must_reject_one_for_each_does() -> None:
    terms = {**ALL, "everyone": False, "members": MEMBERS, "unanimous": True}
    process = opened(**terms)
    process.take(decision("ana", "reject"), AT)
    assert process.take(decision("bo", "reject"), AT).message == "0 of 1 approvals, 2 against"
    assert process.take(decision("cara", "reject"), AT).state is ReviewState.REJECTED
    process = opened(**terms)
    process.take(decision("ana", "reject"), AT)
    assert process.take(decision("cara"), AT).state is ReviewState.APPROVED


def test_a_deadline_that_passes_ends_the_round_once() -> None:
    process = opened()
    process.expire(ReviewState.EXPIRED, AT)
    with pytest.raises(ReviewRefused, match="deadline of this review has passed"):
        process.take(decision("ana"), AT)
    decided = opened()
    decided.take(decision("ana"), AT)
    decided.expire(ReviewState.EXPIRED, AT)
    assert decided.state is ReviewState.APPROVED


def test_silence_names_nobody() -> None:
    process = opened()
    process.expire(ReviewState.APPROVED, AT)
    assert process.decided_by == "nobody"


people = st.sampled_from(["ana", "bo", "cara", "sam", "op"])
decisions = st.builds(
    ReviewDecision,
    by=people,
    kind=st.sampled_from(DecisionKind),
    comment=st.sampled_from(["", "why"]),
    round=st.sampled_from([None, 1, 2]),
    roles=st.sampled_from([(), ("cfo",), ("operator",)]),
    output=st.sampled_from([None, Text.by_value("new")]),
    reviewers=st.sampled_from([(), ("ana",), ("bo", "cara")]),
)
terms_ = st.builds(
    ReviewTerms,
    reviewers=st.sampled_from([(), ("ana", "bo"), ("role:cfo",)]),
    approvals=st.integers(1, 3),
    rejections=st.integers(1, 2),
    four_eyes=st.booleans(),
    everyone=st.booleans(),
    unanimous=st.booleans(),
)


@given(terms_, st.lists(decisions, max_size=30))
def test_whatever_comes_in_whatever_order_a_round_ends_at_most_once(
    terms: ReviewTerms, given_: list[ReviewDecision]
) -> None:
    process = ReviewProcess("sam")
    process.open((), terms, AT)
    ends = []
    for one in given_:
        taken = False
        try:
            process.check(one)
            taken = True
        except ReviewRefused:
            pass
        if taken:
            process.take(one, AT)
        else:
            with pytest.raises(ReviewRefused):
                process.take(one, AT)
        if not process.waiting and not ends:
            ends.append((process.state, process.decided_by))
    assert not ends or ends == [(process.state, process.decided_by)]
    if process.state is ReviewState.APPROVED:
        assert len(set(process.approvers)) >= process.terms.approvals
        assert not (terms.four_eyes and "sam" in process.approvers)
