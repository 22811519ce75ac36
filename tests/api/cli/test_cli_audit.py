"""``prism audit``: on the database itself, on an export, and over the API."""

import json
from pathlib import Path

from sqlalchemy import text

from activities.audit.contracts import AuditEvent, AuditFilter, AuditKind
from activities.audit.export import export
from activities.audit.log import append
from activities.provenance.keyfile import KeyFileSigner
from tests.api.cli.conftest import Prism
from tests.api.client.seeded import SeededApi
from workers.audit import open_checkpointer
from workers.compose import open_stores
from workers.settings import Settings


def installed(home: Path, entries: int = 5) -> Settings:
    """Make an installation with a signed log."""
    settings = Settings(home=home)
    stores = open_stores(settings)
    with stores.engine.begin() as connection:
        append(connection, *(AuditEvent(kind=AuditKind.RUN_PAUSED, actor="ana") for _ in range(entries)))
    open_checkpointer(settings, stores.engine).sign()
    signer = KeyFileSigner.open(settings.signing_key)
    settings.public_key.write_bytes(signer.public_key_pem)
    (home / "export.jsonl").write_text("".join(export(stores.engine, AuditFilter(), signer)))
    stores.engine.dispose()
    return settings


def test_a_whole_log_is_verified_without_a_server(prism_command: Prism, tmp_path: Path) -> None:
    installed(tmp_path / "home")
    done = prism_command("audit", "verify", PRISM_HOME=str(tmp_path / "home"))
    assert done.returncode == 0
    assert "whole: 5 entries, 1 to 5" in done.stdout
    assert "entry 5, at" in done.stdout


def test_every_fault_is_told_with_what_was_found_and_expected(prism_command: Prism, tmp_path: Path) -> None:
    settings = installed(tmp_path / "home")
    stores = open_stores(settings)
    with stores.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("DROP TRIGGER audit_entries_no_delete"))
        connection.execute(text("UPDATE audit_entries SET actor = 'eve' WHERE sequence = 2"))
        connection.execute(text("DELETE FROM audit_entries WHERE sequence > 3"))
    stores.engine.dispose()
    done = prism_command("audit", "verify", PRISM_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert "tampered with" in done.stdout
    assert "its content does not have its hash" in done.stdout
    assert "the log was cut off: entry 5 was" in done.stdout
    found = json.loads(prism_command("audit", "verify", "--json", PRISM_HOME=str(tmp_path / "home")).stdout)
    assert {2, 4, 5} == {fault["sequence"] for fault in found["faults"]}


def test_an_export_is_verified_with_the_public_key_alone(prism_command: Prism, tmp_path: Path) -> None:
    settings = installed(tmp_path / "home")
    file = tmp_path / "home" / "export.jsonl"
    arguments = ("audit", "verify", "--file", str(file), "--public-key", str(settings.public_key))
    assert prism_command(*arguments).returncode == 0
    file.write_text(file.read_text().replace('"actor":"ana"', '"actor":"eve"', 1))
    done = prism_command(*arguments)
    assert done.returncode == 1
    assert "the file is not the one that was sealed" in done.stdout
    other = tmp_path / "other.pem"
    other.write_bytes(KeyFileSigner.open(tmp_path / "other.key").public_key_pem)
    assert "signed by another key" in prism_command(*arguments[:4], "--public-key", str(other)).stdout


def test_what_cannot_be_verified_is_said(prism_command: Prism, tmp_path: Path) -> None:
    home = {"PRISM_HOME": str(tmp_path / "none")}
    assert "give --public-key" in prism_command("audit", "verify", **home).stderr
    settings = installed(tmp_path / "home")
    key = ("--public-key", str(settings.public_key))
    assert "there is no database" in prism_command("audit", "verify", *key, **home).stderr
    assert not (tmp_path / "none").exists()
    (tmp_path / "odd.jsonl").write_text("{}\n")
    assert "no export of an audit log" in prism_command("audit", "verify", "--file", "odd.jsonl", *key).stderr
    assert "no checkpoint" in prism_command("audit", "verify", "--checkpoint", "odd.jsonl", *key).stderr


def test_list_and_export_ask_the_api(prism_command: Prism, seeded_api: SeededApi) -> None:
    def asked(*arguments: str) -> str:
        done = prism_command("--url", seeded_api.url, "audit", *arguments, PRISM_API_TOKEN=seeded_api.token)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with seeded_api.services.stores.engine.begin() as connection:
        append(connection, *(AuditEvent(kind=kind, actor="ana", subject="run/r") for kind in AuditKind))
    assert "run.submitted" in asked("list", "--kind", "run")
    assert "login.failed" not in asked("list", "--kind", "run")
    lines = [json.loads(line) for line in asked("export", "--kind", "run.paused", "--since", "2020-01-01").splitlines()]
    assert lines[0]["filter"]["kinds"] == ["run.paused"]
    assert "seal" in lines[-1]
    assert [line["kind"] for line in lines[1:-1]] == ["run.paused"]
