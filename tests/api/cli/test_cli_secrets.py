"""``prism secrets``."""

import asyncio
import json
from pathlib import Path

from activities.audit.contracts import AuditFilter
from tests.api.cli.conftest import Prism
from workers.audit import open_audit
from workers.compose import open_stores
from workers.settings import Settings

CANARY = "sk-canary-91be"


def test_a_secret_is_set_read_listed_and_deleted_and_each_use_is_audited(prism_command: Prism, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert "there are no secrets" in prism_command("secrets", "list", PRISM_HOME=home).stdout
    kept = prism_command("secrets", "set", "openai", stdin=f"{CANARY}\n", PRISM_HOME=home)
    assert (kept.returncode, kept.stdout.strip()) == (0, "✓ openai has version 1")
    prism_command("secrets", "set", "openai", stdin="second", PRISM_HOME=home)
    assert prism_command("secrets", "get", "openai", "--version", "1", PRISM_HOME=home).stdout == f"{CANARY}\n"
    assert prism_command("secrets", "get", "openai", PRISM_HOME=home).stdout == "second\n"
    listed = prism_command("secrets", "list", PRISM_HOME=home).stdout
    assert "openai" in listed
    assert CANARY not in listed
    assert prism_command("secrets", "delete", "openai", stdin="n\n", PRISM_HOME=home).returncode == 1
    assert prism_command("secrets", "delete", "openai", "--yes", PRISM_HOME=home).returncode == 0
    gone = prism_command("secrets", "get", "openai", PRISM_HOME=home)
    assert (gone.returncode, "there is no secret 'openai'" in gone.stderr) == (1, True)
    settings = Settings(home=Path(home))
    entries = asyncio.run(open_audit(settings, open_stores(settings).engine).page(AuditFilter()))
    assert [entry.kind for entry in reversed(entries)] == [
        *("secret.set", "secret.set", "secret.read", "secret.read", "secret.deleted")
    ]
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_secret_of_several_fields_keeps_the_others_when_one_is_set(prism_command: Prism, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    prism_command("secrets", "set", "db", "--field", "user", stdin="prism", PRISM_HOME=home)
    prism_command("secrets", "set", "db", "--field", "password", stdin="hunter2", PRISM_HOME=home)
    assert prism_command("secrets", "get", "db", "--field", "user", PRISM_HOME=home).stdout == "prism\n"
    assert prism_command("secrets", "get", "db", "--field", "password", PRISM_HOME=home).stdout == "hunter2\n"


def test_a_bad_name_or_an_empty_value_is_refused_without_repeating_it(prism_command: Prism, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    refused = prism_command("secrets", "set", CANARY.upper(), stdin="x", PRISM_HOME=home)
    assert refused.returncode == 1
    assert CANARY.upper() not in refused.stderr + refused.stdout
    argued = prism_command("secrets", "set", "openai", CANARY, stdin="x", PRISM_HOME=home)
    assert (argued.returncode, CANARY in argued.stderr + argued.stdout) == (2, False)
    large = prism_command("secrets", "set", "openai", stdin=CANARY + 70_000 * "x", PRISM_HOME=home)
    assert (large.returncode, CANARY in large.stderr + large.stdout) == (1, False)
    empty = prism_command("secrets", "set", "openai", stdin="", PRISM_HOME=home)
    assert (empty.returncode, "not empty" in empty.stderr) == (1, True)
    assert json.loads(prism_command("--json", "secrets", "list", PRISM_HOME=home).stdout or "[]") == []


def test_a_value_of_many_lines_is_kept_whole_and_a_missing_field_is_no_reading(
    prism_command: Prism, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    prism_command("secrets", "set", "pem", stdin="one\n two\n\n", PRISM_HOME=home)
    assert prism_command("secrets", "get", "pem", "--field", "other", PRISM_HOME=home).returncode == 2
    assert prism_command("secrets", "get", "pem", PRISM_HOME=home).stdout == "one\n two\n\n"
    settings = Settings(home=Path(home))
    entries = asyncio.run(open_audit(settings, open_stores(settings).engine).page(AuditFilter()))
    assert [entry.kind for entry in reversed(entries)] == ["secret.set", "secret.read"]


def test_a_rotated_secret_has_a_new_value_and_the_old_version_stays_for_a_while(
    prism_command: Prism, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    prism_command("secrets", "set", "openai", stdin=CANARY, PRISM_HOME=home)
    same = prism_command("secrets", "rotate", "openai", stdin=CANARY, PRISM_HOME=home)
    assert (same.returncode, "the new value is the old one" in same.stderr) == (1, True)
    rotated = prism_command("secrets", "rotate", "openai", stdin="second", PRISM_HOME=home)
    assert rotated.stdout.startswith("✓ openai has version 2; the one before counts until 20")
    assert prism_command("secrets", "rotate", "openai", "--generate", PRISM_HOME=home).returncode == 0
    assert len(prism_command("secrets", "get", "openai", PRISM_HOME=home).stdout.strip()) == 43
    assert prism_command("secrets", "get", "openai", "--version", "1", PRISM_HOME=home).stdout == f"{CANARY}\n"
    (listed,) = json.loads(prism_command("--json", "secrets", "list", PRISM_HOME=home).stdout)
    assert (listed["name"], listed["counting"], listed["state"]) == ("openai", [3, 2, 1], "fresh")
    nothing = prism_command("secrets", "rotate", "gone", stdin="x", PRISM_HOME=home)
    assert (nothing.returncode, "there is no secret 'gone'" in nothing.stderr) == (1, True)
