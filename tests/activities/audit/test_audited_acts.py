"""What writes entries: accounts and rows, each in the transaction of what it changes."""

from pathlib import Path
from typing import Any

import pytest

from activities.artifacts.contracts import Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.audit import reading
from activities.audit.actor import acting
from activities.identity.authentication import Identity
from activities.identity.contracts import (
    AccountConflict,
    Caller,
    InvalidCredentials,
    Principal,
    Role,
    TokenReused,
    TooManyRequests,
    Via,
)
from activities.records.contracts import RowRecord, RowState, RunOpening, StepRecord, StepState
from activities.records.keeper import SqlRecordKeeper
from temporal.contract import StepRef
from tests.activities.audit.conftest import Log
from workers.identity import open_identity
from workers.settings import Settings

PASSWORD = "correct horse battery"  # noqa: S105 -- guards nothing
HERE = Caller(address="192.0.2.1", agent="a test")
AT = "2026-11-23T05:00:00.000000Z"
LATER = "2026-11-23T06:00:00.000000Z"


@pytest.fixture
def identity(log: Log, tmp_path: Path) -> Identity:
    return open_identity(Settings(home=tmp_path), log.engine)


@pytest.fixture
def keeper(log: Log, tmp_path: Path) -> SqlRecordKeeper:
    return SqlRecordKeeper(log.engine, Texts(FolderArtifactStore(tmp_path / "artifacts")))


def told(log: Log) -> list[tuple[str, str, str]]:
    return [(entry["actor"], entry["kind"], entry["subject"]) for entry in reading.entries(log.engine)]


def details(log: Log, kind: str) -> list[dict[str, Any]]:
    return [entry["detail"] for entry in reading.entries(log.engine) if entry["kind"] == kind]


async def test_every_change_of_an_account_is_told_with_who_made_it(log: Log, identity: Identity) -> None:
    with acting("root"):
        await identity.users.create("ana", [Role.ADMIN], password=await identity.passwords.hashed(PASSWORD))
        await identity.users.create("bob", [Role.VIEWER])
        await identity.users.change("bob", roles=[Role.OPERATOR])
        await identity.users.set_password("bob", None)
        link = await identity.links.create("bob")
    await identity.redeem(link, PASSWORD, HERE)
    assert told(log) == [
        ("root", "user.created", "user/ana"),
        ("root", "user.created", "user/bob"),
        ("root", "user.changed", "user/bob"),
        ("root", "password.reset", "user/bob"),
        ("root", "login_link.created", "user/bob"),
        ("bob", "login_link.redeemed", "user/bob"),
        ("bob", "password.changed", "user/bob"),
        ("bob", "login.succeeded", "user/bob"),
    ]
    assert details(log, "user.changed") == [
        {
            "before": {"roles": ["viewer"], "boards": [], "disabled": False},
            "after": {"roles": ["operator"], "boards": [], "disabled": False},
        }
    ]


async def test_a_change_that_was_refused_leaves_no_entry(log: Log, identity: Identity) -> None:
    await identity.users.create("ana", [Role.ADMIN])
    with pytest.raises(AccountConflict):
        await identity.users.change("ana", roles=[])
    with pytest.raises(AccountConflict):
        await identity.users.create("ana", [])
    assert [kind for _, kind, _ in told(log)] == ["user.created"]


async def test_logins_sessions_and_tokens_are_told_without_their_secrets(log: Log, identity: Identity) -> None:
    await identity.users.create("ana", [Role.ADMIN], password=await identity.passwords.hashed(PASSWORD))
    login = await identity.login("ana", PASSWORD, HERE)
    await identity.refresh(login.refresh_token)
    with pytest.raises(TokenReused):
        await identity.refresh(login.refresh_token)
    with acting("ana"):
        token, secret = await identity.tokens.create("ana", "ci", ["runs.read"], 30)
        await identity.tokens.revoke("ana", token.id)
        session, cookie = await identity.sessions.open("ana", Via.COOKIE, HERE)
        await identity.sessions.revoke("ana", session)
        principal = Principal(name="ana", via=Via.SESSION)
        await identity.change_password(principal, PASSWORD, PASSWORD + "!", HERE)
    assert [(actor, kind) for actor, kind, _ in told(log)][1:] == [
        ("ana", "login.succeeded"),
        ("nobody", "session.reused"),
        ("ana", "token.created"),
        ("ana", "token.revoked"),
        ("ana", "login.succeeded"),
        ("ana", "session.revoked"),
        ("ana", "password.changed"),
    ]
    assert details(log, "token.created") == [{"token": token.id, "title": "ci", "scopes": ["runs.read"]}]
    whole = str(list(reading.entries(log.engine)))
    for kept_secret in (PASSWORD, login.refresh_token, login.access_token, secret, cookie):
        assert kept_secret not in whole


async def test_refused_logins_are_told_and_a_flood_is_one_entry(log: Log, identity: Identity) -> None:
    await identity.users.create("ana", [Role.ADMIN], password=await identity.passwords.hashed(PASSWORD))
    with pytest.raises(InvalidCredentials):
        await identity.login("my-password-by-mistake", "x", HERE)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await identity.login("ana", "wrong", HERE)
    for _ in range(7):
        with pytest.raises(TooManyRequests):
            await identity.login("ana", PASSWORD, HERE)
    found = told(log)[1:]
    assert found[:6] == [("nobody", "login.failed", "")] + 5 * [("nobody", "login.failed", "user/ana")]
    # A window may end in between.
    assert set(found[6:]) == {("nobody", "login.throttled", "user/ana")}
    assert len(found[6:]) <= 2
    assert "my-password-by-mistake" not in str(list(reading.entries(log.engine)))


def record(state: RowState, *steps: StepRecord, attempt: int = 1) -> RowRecord:
    ref = StepRef(run="r", row="ops/a", step="record", attempt=attempt)
    return RowRecord(step=ref, state=state, started_at=AT, finished_at=AT, steps=steps)


def review(by: str, opened: str, state: str = "approved") -> StepRecord:
    detail = {"state": state, "by": by, "comment": "fine", "reasons": ["risk"]}
    return StepRecord(step="review", started_at=opened, finished_at=AT, detail=detail)


POLICY = StepRecord(
    step="policy",
    finished_at=AT,
    detail={"allow": True, "deny": [], "review": ["risk"], "policy": digest_of(b"policy")},
)


async def test_a_rows_decisions_are_told_once_however_often_it_is_recorded(log: Log, keeper: SqlRecordKeeper) -> None:
    opening = RunOpening(run="r", plan=digest_of(b"plan"), title="Run", submitter="sam", started_at=AT)
    for _ in range(2):
        await keeper.open_run(opening)
    await keeper.open_rows("r", [{"row": "ops/a", "position": 0, "objective": "Do"}])
    for _ in range(2):
        await keeper.record_row(record(RowState.REVIEW, POLICY))
    asked = StepRecord(step="review", finished_at=AT, detail={"delivered": True, "key": "k"})
    ended = record(RowState.SUCCEEDED, POLICY, asked, review("ana", AT), review("ana", LATER))
    # After a crash the same decisions come again at another time.
    again = tuple(step.model_copy(update={"finished_at": LATER}) for step in ended.steps)
    for repeated in (ended, ended, ended.model_copy(update={"steps": again})):
        await keeper.record_row(repeated)
    assert told(log) == [
        ("sam", "run.submitted", "run/r"),
        ("policy", "policy.decided", "run/r/row/ops/a"),
        ("ana", "review.decided", "run/r/row/ops/a"),
        ("ana", "review.decided", "run/r/row/ops/a"),
    ]
    (decision,) = details(log, "policy.decided")
    assert decision == {**POLICY.detail, "step": "policy", "decided_at": AT, "attempt": 1}


async def test_a_retried_row_is_decided_anew_and_silence_is_nobodys_decision(log: Log, keeper: SqlRecordKeeper) -> None:
    await keeper.record_row(record(RowState.REJECTED, POLICY, review("nobody", AT, "expired")))
    await keeper.record_row(record(RowState.SUCCEEDED, POLICY, attempt=2))
    assert [(actor, kind) for actor, kind, _ in told(log)] == [
        ("policy", "policy.decided"),
        ("nobody", "review.decided"),
        ("policy", "policy.decided"),
    ]


async def test_a_policy_that_did_not_answer_decided_nothing(log: Log, keeper: SqlRecordKeeper) -> None:
    failed = StepRecord(step="policy", state=StepState.FAILED, finished_at=AT)
    await keeper.record_row(record(RowState.FAILED, failed))
    assert told(log) == []


async def test_what_scanners_find_in_a_row_is_told_without_the_secret_and_a_clean_scan_is_not(
    log: Log, keeper: SqlRecordKeeper
) -> None:
    found = {"rule": "aws-access-token", "severity": "high", "line": 3, "scanner": "gitleaks", "fingerprint": "f"}
    clean = StepRecord(step="scan", finished_at=AT, detail={"scanner": "gitleaks", "findings": []})
    dirty = StepRecord(step="scan", ordinal=2, finished_at=AT, detail={"findings": [found] * 120})
    for _ in range(2):
        await keeper.record_row(record(RowState.FAILED, clean, dirty))
    assert told(log) == [("scanners", "scan.found", "run/r/row/ops/a")]
    (detail,) = details(log, "scan.found")
    assert (detail["count"], len(detail["findings"])) == (120, 100)
    assert detail["findings"][0] == {"rule": "aws-access-token", "severity": "high", "line": 3, "scanner": "gitleaks"}
