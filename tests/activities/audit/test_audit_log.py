"""The log on SQLite and PostgreSQL: gapless, append-only, once per key, and signed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from activities.audit import reading
from activities.audit.actor import acting
from activities.audit.contracts import GENESIS, AuditEvent, AuditFilter, AuditKind, AuditTampered
from activities.audit.log import append
from tests.activities.audit.conftest import Log, event

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from activities.records.database import open_database
from activities.audit.log import append
from activities.audit.contracts import AuditEvent, AuditKind
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    with engine.begin() as connection:
        append(connection, AuditEvent(kind=AuditKind.RUN_PAUSED, actor=sys.argv[2], key=f"{sys.argv[2]}/{number}"))
    print(number, flush=True)
"""


def writer(log: Log, name: str, count: int) -> "subprocess.Popen[str]":
    url = log.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WRITER, url, name, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_entries_are_numbered_and_linked(log: Log) -> None:
    log.fill(3)
    found = list(reading.entries(log.engine))
    assert [entry["sequence"] for entry in found] == [1, 2, 3]
    assert [entry["previous"] for entry in found] == [GENESIS, found[0]["hash"], found[1]["hash"]]
    assert log.verify().valid


def test_what_is_written_under_a_key_is_written_once(log: Log) -> None:
    assert log.write(event(1, key="a"), event(2, key="a"), event(3)) == 2
    assert log.write(event(4, key="a"), event(3), event(5, key="b")) == 2
    assert [entry["detail"]["number"] for entry in reading.entries(log.engine)] == [1, 3, 3, 5]
    assert log.verify().valid


def test_an_entry_goes_with_the_transaction_that_it_tells_of(log: Log) -> None:
    log.fill(1)
    with log.engine.connect() as connection:
        append(connection, event(2))
        connection.rollback()
    log.fill(1)
    report = log.verify()
    assert (report.valid, report.entries) == (True, 2)


def test_an_entry_names_who_acts(log: Log) -> None:
    paused = AuditEvent(kind=AuditKind.RUN_PAUSED)
    log.write(paused)
    with acting("ana"):
        log.write(paused, paused.model_copy(update={"actor": "policy"}))
    assert [entry["actor"] for entry in reading.entries(log.engine)] == ["installation", "ana", "policy"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'x'",
        "DELETE FROM audit_entries",
        "UPDATE audit_checkpoints SET at = 'x'",
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET sequence = 0",
    ],
)
def test_the_database_itself_refuses_changes(log: Log, statement: str) -> None:
    log.fill(2)
    log.checkpointer.sign()
    with pytest.raises(DBAPIError, match="append-only"), log.engine.begin() as connection:
        connection.execute(text(statement))
    assert log.verify().valid


def test_two_processes_append_to_one_gapless_chain(log: Log) -> None:
    writers = [writer(log, name, 60) for name in ("a", "b")]
    for process in writers:
        go(process)
    for process in writers:
        process.communicate(timeout=60)
        assert process.returncode == 0
    report = log.verify()
    assert (report.valid, report.entries, report.last) == (True, 120, 120)
    assert [entry["actor"] for entry in reading.entries(log.engine)].count("a") == 60


def test_a_writer_that_is_killed_leaves_a_valid_chain_with_all_it_had_written(log: Log) -> None:
    process = writer(log, "a", 100_000)
    go(process)
    assert process.stdout
    while int(process.stdout.readline()) < 20:
        pass
    process.send_signal(signal.SIGKILL)
    last = [int(line) for line in process.stdout.readlines() if line.endswith("\n")][-1:] or [20]
    process.communicate(timeout=30)
    log.fill(2)
    report = log.verify()
    assert report.valid
    assert report.entries >= last[0] + 1 + 2


def test_filters_choose_by_kind_actor_and_time(log: Log) -> None:
    log.fill(2 * len(AuditKind))
    moment = list(reading.entries(log.engine))[20]["at"]
    logins = list(reading.entries(log.engine, AuditFilter(kinds=("login",))))
    assert {entry["kind"] for entry in logins} == {"login.succeeded", "login.failed", "login.throttled"}
    assert len(list(reading.entries(log.engine, AuditFilter(kinds=("login.failed",))))) == 2
    assert {entry["actor"] for entry in reading.entries(log.engine, AuditFilter(actor="user-1"))} == {"user-1"}
    before = list(reading.entries(log.engine, AuditFilter(until=moment)))
    after = list(reading.entries(log.engine, AuditFilter(since=moment)))
    assert len(before) + len(after) == 2 * len(AuditKind)
    with log.engine.connect() as connection:
        page = reading.newest(connection, AuditFilter(), before=10, limit=3)
    assert [entry["sequence"] for entry in page] == [9, 8, 7]


def test_checkpoints_are_signed_when_something_was_added(log: Log) -> None:
    assert log.checkpointer.sign() is None
    log.fill(3)
    first = log.checkpointer.sign()
    assert first == log.checkpointer.sign() == log.checkpointer.kept()
    log.fill(2)
    log.checkpointer.sign()
    report = log.verify()
    assert (report.valid, report.anchored, report.last) == (True, 5, 5)


@pytest.mark.parametrize("statement", ["DELETE FROM audit_entries WHERE sequence > 3", "DELETE FROM audit_entries"])
def test_a_tail_that_was_cut_off_is_found_and_never_signed_away(log: Log, statement: str) -> None:
    log.fill(5)
    log.checkpointer.sign()
    with log.tampering() as connection:
        connection.execute(text(statement))
        connection.execute(text("DELETE FROM audit_checkpoints"))
        rest = connection.execute(text("SELECT sequence, hash FROM audit_entries ORDER BY sequence DESC")).first()
        last = {"sequence": rest.sequence, "hash": rest.hash} if rest else {"sequence": 0, "hash": GENESIS}
        connection.execute(text("UPDATE audit_head SET sequence = :sequence, hash = :hash"), last)
    report = log.verify()
    assert not report.valid
    assert any("cut off" in fault.what and fault.sequence == 5 for fault in report.faults)
    log.fill(9)
    with pytest.raises(AuditTampered):
        log.checkpointer.sign()
    assert not log.verify().valid


def test_a_log_that_somebody_without_the_key_wrote_anew_is_found(log: Log) -> None:
    log.fill(5)
    log.checkpointer.sign()
    with log.tampering() as connection:
        connection.execute(text("DELETE FROM audit_entries"))
        connection.execute(text("DELETE FROM audit_checkpoints"))
        connection.execute(text("UPDATE audit_head SET sequence = 0, hash = :hash"), {"hash": GENESIS})
        append(connection, *(event(number + 1) for number in range(8)))
    report = log.verify()
    assert [(fault.sequence, fault.what.split(":")[0]) for fault in report.faults] == [(5, "the log was rewritten")]
    with pytest.raises(AuditTampered):
        log.checkpointer.sign()


async def test_what_was_written_last_is_signed_when_a_worker_stops(log: Log) -> None:
    log.fill(2)
    stop = asyncio.Event()
    watching = asyncio.create_task(log.checkpointer.watch(stop))
    log.fill(1)
    stop.set()
    await watching
    assert log.verify().anchored == 3


def test_the_anchor_is_checked_too(sqlite_log: Log, tmp_path: Path) -> None:
    log = sqlite_log
    log.fill(2)
    log.checkpointer.sign()
    anchor = tmp_path / "keys" / "audit-checkpoint.json"
    anchor.write_text(anchor.read_text().replace('"sequence":2', '"sequence":1'))
    report = log.verify()
    assert any("its signature does not fit" in fault.what for fault in report.faults)
    anchor.write_text("{}")
    with pytest.raises(AuditTampered):
        log.verify()
