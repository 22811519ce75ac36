"""Whatever is changed, removed, moved, added or cut off: it is found, in the database and in an export."""

import contextlib
import hashlib
import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from activities.audit import reading
from activities.audit.canonical import DOMAIN, FIELDS, canonical, entry_hash, facts
from activities.audit.contracts import AuditFilter, AuditUnreadable
from activities.audit.export import export, kept_checkpoints, verify_export
from activities.audit.signing import PublicKeys
from activities.provenance.keyfile import KeyFileSigner
from tests.activities.audit.conftest import Log

COUNT = 12
COLUMNS = ("sequence", "at", "actor", "kind", "subject", "detail", "key", "previous", "hash")


@pytest.fixture
def signed(sqlite_log: Log) -> Log:
    sqlite_log.fill(COUNT)
    sqlite_log.checkpointer.sign()
    return sqlite_log


def lines_of(log: Log, wanted: AuditFilter | None = None) -> list[bytes]:
    checkpoint = log.checkpointer.sign()
    return [line.encode() for line in export(log.engine, wanted or AuditFilter(), log.signer, checkpoint)]


def rows_of(log: Log) -> list[dict[str, Any]]:
    with log.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text("SELECT * FROM audit_entries ORDER BY sequence"))]


def write_rows(log: Log, rows: list[dict[str, Any]]) -> None:
    with log.tampering() as connection:
        connection.execute(text("DELETE FROM audit_entries"))
        if rows:
            connection.execute(insert(reading.ENTRIES), rows)


def rehashed(rows: list[dict[str, Any]], start: int) -> None:
    """Give rows from one on new hashes that fit, as everybody can who knows how."""
    for index in range(start, len(rows)):
        rows[index]["previous"] = rows[index - 1]["hash"] if index else 64 * "0"
        entry = {name: rows[index][name] for name in FIELDS}
        entry |= {"detail": json.loads(entry["detail"]), "key": entry["key"] or ""}
        rows[index]["hash"] = entry_hash(entry)


def test_the_hash_is_what_the_documentation_says(signed: Log) -> None:
    # By hand, without our code.
    row = rows_of(signed)[4]
    body = {**row, "detail": json.loads(row["detail"]), "key": row["key"] or ""}
    stated = body.pop("hash")
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(b"prism-audit-entry-v1\n" + written.encode()).hexdigest() == stated
    assert DOMAIN == b"prism-audit-entry-v1\n"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_every_fact_can_be_written_and_read_back(value: object) -> None:
    kept = facts({"value": value})
    assert json.loads(canonical(kept).encode()) == kept


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_single_change_of_the_database_is_found(signed: Log, data: st.DataObject) -> None:
    original = rows_of(signed)
    rows = [dict(row) for row in original]
    index = data.draw(st.integers(0, COUNT - 1), label="index")
    act = data.draw(st.sampled_from(["alter", "remove", "swap", "insert", "truncate", "rehash"]), label="act")
    if act == "alter":
        name = data.draw(st.sampled_from(COLUMNS), label="column")
        if name == "sequence":
            rows[index][name] = data.draw(st.sampled_from([0, -1, COUNT + 1, COUNT + 7]))
        else:
            changed = data.draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
            rows[index][name] = changed if changed != rows[index][name] else f"{changed}x"
    elif act == "remove":
        del rows[index]
    elif act == "swap":
        other = data.draw(st.integers(0, COUNT - 1).filter(lambda number: number != index))
        for name in set(COLUMNS) - {"sequence"}:
            rows[index][name], rows[other][name] = rows[other][name], rows[index][name]
    elif act == "insert":
        rows.insert(index, {**rows[index], "key": None})
        for number, row in enumerate(rows, 1):
            row["sequence"] = number
        if data.draw(st.booleans(), label="with hashes that fit"):
            rehashed(rows, index)
    elif act == "truncate":
        del rows[index:]
    else:
        rows[index]["actor"] += "!"
        rehashed(rows, index)
    write_rows(signed, rows)
    try:
        report = signed.verify()
        assert not report.valid, act
        assert report.faults_found >= 1
    finally:
        write_rows(signed, original)
    assert signed.verify().valid


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_single_change_of_an_export_is_found(signed: Log, data: st.DataObject) -> None:
    lines = lines_of(signed)
    assert verify_export(lines, signed.keys).valid
    whole = b"".join(lines)
    act = data.draw(st.sampled_from(["byte", "cut", "line", "swap", "repeat", "append"]))
    index = data.draw(st.integers(0, len(lines) - 1))
    if act == "byte":
        place = data.draw(st.integers(0, len(whole) - 1))
        other = data.draw(st.integers(1, 255))
        whole = whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :]
    elif act == "cut":
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    elif act == "line":
        whole = b"".join(lines[:index] + lines[index + 1 :])
    elif act == "swap":
        other = data.draw(st.integers(0, len(lines) - 1).filter(lambda number: number != index))
        lines[index], lines[other] = lines[other], lines[index]
        whole = b"".join(lines)
    elif act == "repeat":
        whole = b"".join([*lines[: index + 1], lines[index], *lines[index + 1 :]])
    else:
        whole += data.draw(st.binary(min_size=1, max_size=30))
    with contextlib.suppress(AuditUnreadable):
        assert not verify_export(whole.splitlines(keepends=True), signed.keys).valid


def test_a_fault_says_where_and_what(signed: Log) -> None:
    with signed.tampering() as connection:
        connection.execute(text("UPDATE audit_entries SET actor = 'mallory' WHERE sequence = 4"))
        connection.execute(text("DELETE FROM audit_entries WHERE sequence IN (7, 8)"))
        connection.execute(text("UPDATE audit_entries SET detail = '{ }' WHERE sequence = 10"))
    found = [(fault.sequence, fault.what) for fault in signed.verify().faults]
    assert found == [
        (4, "it was altered: its content does not have its hash"),
        (7, "2 entries were removed"),
        (9, "it does not continue entry 6: one of the two was altered, or what was between them"),
        (10, "it was altered: its content does not have its hash"),
    ]


def test_a_filtered_export_proves_its_entries_and_its_filter(signed: Log) -> None:
    lines = lines_of(signed, AuditFilter(kinds=("login",)))
    report = verify_export(lines, signed.keys)
    assert (report.valid, report.complete, report.entries) == (True, False, 3)
    del lines[2]
    assert not verify_export(lines, signed.keys).valid


def test_an_export_of_a_time_is_a_piece_of_the_chain(signed: Log) -> None:
    since = rows_of(signed)[5]["at"]
    lines = lines_of(signed, AuditFilter(since=since))
    report = verify_export(lines, signed.keys)
    assert (report.valid, report.first, report.last) == (True, 6, COUNT)
    assert any("removed" in fault.what for fault in verify_export(lines[:3] + lines[4:], signed.keys).faults)


def test_an_export_of_somebody_elses_key_does_not_count(signed: Log, tmp_path: Path) -> None:
    other = KeyFileSigner.open(tmp_path / "other.pem")
    lines = [line.encode() for line in export(signed.engine, AuditFilter(), other)]
    assert "signed by another key" in verify_export(lines, signed.keys).faults[0].what
    assert verify_export(lines, PublicKeys([signed.signer.public_key_pem, other.public_key_pem])).valid


def test_an_export_that_was_kept_shows_that_the_log_was_written_anew_with_the_key(signed: Log) -> None:
    earlier = kept_checkpoints(lines_of(signed))
    rows = rows_of(signed)
    rows[3]["actor"] = "mallory"
    rehashed(rows, 3)
    write_rows(signed, rows)
    with signed.tampering() as connection:
        connection.execute(text("DELETE FROM audit_checkpoints"))
        connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": rows[-1]["hash"]})
    signed.checkpointer._anchor.unlink()
    signed.checkpointer.sign()
    # Who has the key, the folder and the database can do so unseen, but for what others keep.
    assert signed.verify().valid
    forged = lines_of(signed)
    assert verify_export(forged, signed.keys).valid
    (fault,) = verify_export(forged, signed.keys, earlier).faults
    assert "rewritten" in fault.what


def test_thirty_thousand_entries_are_verified_in_flat_memory(sqlite_log: Log, tmp_path: Path) -> None:
    log = sqlite_log
    for _ in range(15):
        log.fill(2_000)
    filled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log.checkpointer.sign()
    began = time.monotonic()
    report = log.verify()
    seconds = time.monotonic() - began
    assert (report.valid, report.entries, report.anchored) == (True, 30_000, 30_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - filled < 8_000
    path = tmp_path / "export.jsonl"
    with path.open("w") as file:
        file.writelines(export(log.engine, AuditFilter(), log.signer, log.checkpointer.sign()))
    before = time.monotonic()
    with path.open("rb") as lines:
        assert verify_export(lines, log.keys).valid
    print(f"30,000 entries: database {seconds:.1f} s, export {time.monotonic() - before:.1f} s")  # noqa: T201 -- a figure
