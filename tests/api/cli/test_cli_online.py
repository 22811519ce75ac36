"""Commands that ask the API, against a real server."""

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text

from activities.artifacts.contracts import digest_of
from activities.budgets.contracts import BudgetSpent
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules import BudgetRules
from activities.provenance.contracts import SealRequest
from activities.provenance.envelope import envelope_bytes, pae
from activities.provenance.keys import keyid_of
from activities.provenance.statement import build_statement, statement_bytes
from activities.provenance.uris import PAYLOAD_TYPE
from activities.records.contracts import RowState, RunState
from temporal.contract import StepRef
from tests.api.cli.conftest import Prism
from tests.api.client.seeded import SeededApi


@pytest.fixture
def reached(seeded_api: SeededApi) -> dict[str, str]:
    """The environment in which ``prism`` reaches the seeded server, with one run."""
    seeded_api.open_run("r1", ["team/a", "b", "c"])
    seeded_api.end_row("r1", "team/a", "red,\x1b[31m green")
    seeded_api.end_row("r1", "b", "far too long", RowState.VERIFICATION_FAILED)
    return {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}


def test_runs_rows_and_a_row_are_shown(prism_command: Prism, reached: dict[str, str]) -> None:
    assert "title of r1" in prism_command("runs", **reached).stdout
    status = prism_command("status", **reached).stdout
    assert "2 of 3 ended" in status
    assert "✓ 1 succeeded" in status
    rows = prism_command("rows", "r1", **reached).stdout
    assert "team/a" in rows
    assert "the answer is too long [VERIFICATION_FAILED]" in rows
    row = prism_command("row", "r1", "team/a", **reached).stdout
    assert "answered" in row
    assert "max_words:5" in row
    assert "\x1b" not in rows + row


def test_json_is_what_the_api_says(prism_command: Prism, reached: dict[str, str]) -> None:
    assert json.loads(prism_command("status", "r1", "--json", **reached).stdout)["counts"]["succeeded"] == 1
    rows = json.loads(prism_command("rows", "r1", "--json", "--state", "succeeded", **reached).stdout)
    assert [row["row"] for row in rows] == ["team/a"]
    assert json.loads(prism_command("notifications", "--json", **reached).stdout) == []


def test_results_go_to_standard_output_or_a_file(prism_command: Prism, reached: dict[str, str], tmp_path: Path) -> None:
    assert prism_command("results", "r1", **reached).stdout.startswith("id,board,task")
    file = tmp_path / "out.jsonl"
    assert prism_command("results", "r1", "--out", str(file), **reached).returncode == 0
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["team/a", "b", "c"]
    assert not list(tmp_path.glob(".*"))


def test_watching_ends_with_the_run_and_tells_by_exit_code(
    prism_command: Prism,
    reached: dict[str, str],
    seeded_api: SeededApi,
) -> None:
    seeded_api.end_run("r1", RunState.COMPLETED_WITH_FAILURES)
    done = prism_command("status", "r1", "--watch", **reached)
    assert done.returncode == 1
    assert "2/3 rows" in done.stderr
    assert prism_command("status", "r1", **reached).returncode == 0


def test_an_api_error_is_one_message(prism_command: Prism, reached: dict[str, str]) -> None:
    done = prism_command("status", "nothing", **reached)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no run nothing [NOT_FOUND]\n"
    error = json.loads(prism_command("status", "nothing", "--json", **reached).stderr)["error"]
    assert (error["code"], error["details"]) == ("NOT_FOUND", {"run": "nothing"})


def test_steering_an_ended_run_is_a_conflict(
    prism_command: Prism,
    reached: dict[str, str],
    seeded_api: SeededApi,
) -> None:
    seeded_api.end_run("r1")
    for arguments in (("pause", "r1"), ("skip", "r1", "c"), ("concurrency", "r1", "3")):
        done = prism_command(*arguments, **reached)
        assert done.returncode == 1
        assert "[CONFLICT]" in done.stderr
    assert "does not wait for a review" in prism_command("approve", "r1", "b", "--by", "ana", **reached).stderr


def test_a_submission_without_temporal_is_told(prism_command: Prism, reached: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("title,objective\nx,\n")
    done = prism_command("submit", "bad.csv", **reached)
    assert done.returncode == 1
    assert "INVALID_TASK_DEFINITION" in done.stderr
    assert "[INVALID_CATALOG]" in done.stderr


def test_no_api_is_told_with_what_to_do(prism_process: Prism) -> None:
    done = prism_process("runs", "--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "[API_UNREACHABLE]" in done.stderr
    assert "start it with: prism up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_named_without_its_value(prism_command: Prism) -> None:
    done = prism_command("runs", PRISM_API_PORT="secret")
    assert done.returncode == 1
    assert "PRISM_API_PORT" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_run_starts_nothing_for_an_invalid_catalog(prism_command: Prism, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("title,objective\nx,\n")
    done = prism_command("run", "bad.csv", PRISM_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert "Nothing was started." in done.stderr
    assert not (tmp_path / "home").exists()


def test_up_says_which_port_is_taken(prism_process: Prism, seeded_api: SeededApi, tmp_path: Path) -> None:
    port = str(seeded_api.settings.api_port)
    done = prism_process("up", PRISM_HOME=str(tmp_path / "up"), PRISM_API_PORT=port)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "[PORT_IN_USE]" in done.stderr


def test_an_envelope_is_verified_from_files_alone(prism_command: Prism, tmp_path: Path) -> None:
    output = b"an output"
    key = Ed25519PrivateKey.generate()
    digest = digest_of(output)
    statement = build_statement(
        SealRequest(
            step=StepRef(run="r1", row="a", step="seal"),
            output=digest,
            row_digest=digest,
            plan=digest,
            decision_digest=digest,
            policy=digest,
            models=("test/model",),
        )
    )
    payload = statement_bytes(statement)
    signed = envelope_bytes(payload, key.sign(pae(PAYLOAD_TYPE, payload)), keyid_of(key.public_key()))
    (tmp_path / "envelope").write_bytes(signed)
    (tmp_path / "output").write_bytes(output)
    (tmp_path / "key.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    offline = ("verify", "--envelope", "envelope", "--key", "key.pem", "--output", "output")
    done = prism_command(*offline)
    assert done.returncode == 0, done.stderr
    assert digest in done.stdout
    assert "test/model" in done.stdout
    (tmp_path / "output").write_bytes(b"another output")
    done = prism_command(*offline, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["valid"] is False
    assert prism_command("verify", "r1").returncode == 2


def test_budgets_are_shown_and_more_is_allowed(prism_command: Prism, seeded_api: SeededApi) -> None:
    seeded_api.open_run("capped", ["a"])
    with seeded_api.services.stores.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET budget = 2500000 WHERE run = 'capped'"))
    guard = SqlSpendGuard(seeded_api.services.stores.engine, BudgetRules())
    with pytest.raises(BudgetSpent):
        asyncio.run(guard.reserve(StepRef(run="capped", row="a", step="model"), 3.0))
    reached = {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}
    shown = prism_command("budgets", "capped", **reached).stdout
    assert "run/capped" in shown
    assert "waits for run" in shown
    allowed = prism_command("allow", "run", "4.5", "--comment", "worth it", **reached)
    assert "$7.00 of run (run/capped) is left; 1 row waited for it" in allowed.stdout
    refused = prism_command("allow", "none", "5", **reached)
    assert refused.returncode == 1
    assert "there is no budget 'none'" in refused.stderr
