"""``prism validate`` and ``prism plan``: offline."""

import json
import shlex
from pathlib import Path

import pytest

from tests.api.cli.conftest import Prism
from workers.compose import open_stores
from workers.settings import Settings
from workflows.contracts import CatalogRun

GOOD = "board,task,title,objective,stack,workflow,verification\nops,a,A,Say hello,,,\n"
BAD = GOOD + "ops,b,B,,,,\nops,c,C,Say, this,and,that,too,,\n"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalog.csv"


def test_a_valid_catalog_is_said_so(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(GOOD)
    done = prism_command("validate", str(catalog))
    assert done.returncode == 0
    assert "✓ catalog.csv is valid: 1 row" in done.stdout
    assert done.stderr == ""


def test_every_fault_has_its_line_row_column_and_code(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(BAD)
    done = prism_command("validate", str(catalog))
    assert done.returncode == 1
    (missing,) = [line for line in done.stdout.splitlines() if "INVALID_TASK_DEFINITION" in line]
    assert missing.split()[:3] == ["3", "ops/b", "objective"]
    assert "Task missing required field: 'objective'" in done.stdout
    assert "WRONG_FIELD_COUNT" in done.stdout
    assert "2 errors. Nothing was started." in done.stdout


def test_json_has_the_faults_for_a_program(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(BAD)
    for arguments in (("validate", str(catalog), "--json"), ("--json", "validate", str(catalog))):
        done = prism_command(*arguments)
        assert done.returncode == 1
        found = json.loads(done.stdout)
        assert (found["valid"], found["errors_found"]) == (False, 2)
        assert found["errors"][0]["line"] == 3


def test_of_many_faults_some_are_shown_and_all_are_counted(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(GOOD + "".join(f"ops,n{number},N,,,,\n" for number in range(9)))
    done = prism_command("validate", str(catalog), "--show", "2")
    assert done.stdout.count("INVALID_TASK_DEFINITION") == 2
    assert "2 errors of 9 shown, 7 more" in done.stdout


def test_a_catalog_that_the_policy_would_not_let_start_is_said_so(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text("id,objective,budget_usd\na,Say hello,200000\n")
    done = prism_command("validate", str(catalog), "--submitter", "ana")
    assert done.returncode == 1
    assert "✗ total of budget_usd: 200000, which is above the limit of 100000 for one catalog" in done.stdout
    assert "the policy does not let catalog.csv run. Nothing was started." in done.stdout


def test_columns_can_be_mapped_and_prompts_taken_literally(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text("act,prompt\nGuide,Show {{ this\n")
    mapping = ("--map", "prompt=objective", "--map", "act=title")
    assert prism_command("validate", str(catalog), *mapping, "--literal").returncode == 0
    done = prism_command("validate", str(catalog), "--map", "prompt")
    assert done.returncode == 2
    assert "file_column=prism_column" in done.stderr


def test_invalid_rows_can_be_left_out(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(BAD)
    done = prism_command("validate", str(catalog), "--skip-invalid")
    assert done.returncode == 0
    assert "1 row can run" in done.stdout


def test_a_catalog_can_come_from_standard_input(prism_command: Prism) -> None:
    assert prism_command("validate", "-", stdin=GOOD).returncode == 0


def test_a_file_cannot_write_to_the_terminal(prism_command: Prism, catalog: Path) -> None:
    catalog.write_text(GOOD.replace("objective", "objective,deadline") + "ops,x,X,y,\x1b[31mred,,,\n")
    done = prism_command("validate", str(catalog))
    assert done.returncode == 1
    assert "\x1b" not in done.stdout


def test_nothing_is_stored(prism_command: Prism, catalog: Path, tmp_path: Path) -> None:
    catalog.write_text(GOOD)
    prism_command("validate", str(catalog))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.csv"]


def test_a_plan_is_stored_and_its_temporal_command_shown(prism_command: Prism, catalog: Path, tmp_path: Path) -> None:
    catalog.write_text(GOOD)
    done = prism_command("plan", str(catalog), "--run", "weekly", PRISM_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    document, _, line = done.stdout.rpartition("\n\n")
    request = CatalogRun.model_validate_json(document)
    command = shlex.split(line)
    assert command[:3] == ["temporal", "workflow", "start"]
    given = dict(zip(command[3::2], command[4::2], strict=True))
    assert given["--type"] == "CatalogWorkflow"
    assert given["--workflow-id"] == "catalog/weekly"
    assert given["--task-queue"] == "prism-workflows"
    assert CatalogRun.model_validate_json(given["--input"]) == request
    stores = open_stores(Settings(home=tmp_path / "home"))
    assert b"catalog.csv" in stores.artifacts._get(request.plan)
    stores.engine.dispose()


def test_a_plan_of_an_invalid_catalog_is_refused(prism_command: Prism, catalog: Path, tmp_path: Path) -> None:
    catalog.write_text(BAD)
    done = prism_command("plan", str(catalog), PRISM_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert "INVALID_CATALOG" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_columns_are_listed(prism_command: Prism) -> None:
    listed = json.loads(prism_command("columns", "--json").stdout)["columns"]
    assert {"objective", "depends_on"} <= {column["name"] for column in listed}
    assert "| `objective` |" in prism_command("columns", "--markdown").stdout
