"""``prism policy``: the policies tested, asked, explained and packed, without a server."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from activities.policy.embedded import EmbeddedPolicy
from tests.api.cli.conftest import Prism
from workers.policy import POLICIES


def asked(**row: Any) -> str:
    return json.dumps({"row": {"id": "a", "objective": "Rate the loan", "risk": "low", **row}})


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Policies of another house, with a test that fails and a line that no test reaches."""
    folder = tmp_path / "mine" / "admission"
    folder.mkdir(parents=True)
    rule = "package admission\n\ndecision := 1\n\nother if {\n\tinput.never\n}\n"
    (folder / "admission.rego").write_text(rule)
    suite = "package admission_test\n\ntest_one if data.admission.decision == 1\n\ntest_two if false\n"
    (folder / "admission_test.rego").write_text(suite)
    return folder.parent


def test_the_policies_that_ship_pass_their_tests(prism_command: Prism) -> None:
    done = prism_command("policy", "test", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert told["failed"] == []
    assert min(told["coverage"].values()) > 95


def test_a_test_that_fails_is_named(prism_command: Prism, broken: Path) -> None:
    done = prism_command("policy", "test", "--policies", str(broken))
    assert done.returncode == 1
    assert "1 of 2 tests failed" in done.stdout
    assert "admission_test.test_two" in done.stdout
    assert "100 % covered" not in done.stdout


def test_a_policy_that_does_not_compile_is_told_with_its_line(prism_command: Prism, broken: Path) -> None:
    (broken / "admission" / "admission.rego").write_text("package admission\n\nallow if missing\n")
    done = prism_command("policy", "test", "--policies", str(broken))
    assert done.returncode == 1
    assert "admission.rego:3" in done.stderr
    assert "POLICY_UNAVAILABLE" in done.stderr


def test_an_input_gets_its_decision(prism_command: Prism) -> None:
    done = prism_command("policy", "eval", "admission", "-", "--json", stdin=asked(objective=""))
    told = json.loads(done.stdout)
    assert told["decision"]["deny"] == ["the row has no objective"]
    assert told["policy"] == EmbeddedPolicy(POLICIES).digest


def test_a_decision_is_explained_by_the_titles_of_its_rules(prism_command: Prism) -> None:
    done = prism_command("policy", "explain", "admission", "-", stdin=asked(objective="", risk="high"))
    assert "A row says what it is for" in done.stdout
    assert "Risky rows are reviewed" in done.stdout
    assert "Spending above the limit" not in done.stdout
    assert "A row has an id, by which" not in done.stdout


def test_a_decision_of_any_shape_is_shown(prism_command: Prism, broken: Path) -> None:
    for command in ("eval", "explain"):
        done = prism_command("policy", command, "admission", "-", "--policies", str(broken), stdin="{}")
        assert (done.returncode, done.stderr) == (0, "")
        assert "decision" in done.stdout


def test_a_refused_request_is_explained(prism_command: Prism) -> None:
    done = prism_command("policy", "explain", "authz", "-", "--json", stdin=json.dumps({"action": "runs.read"}))
    told = json.loads(done.stdout)
    assert told["decision"] == {"allow": False, "reason": "nobody is authenticated"}
    assert "A request comes from somebody" in {rule["title"] for rule in told["rules"]}


def test_a_bundle_carries_the_digest_that_decisions_record(prism_command: Prism, tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    assert prism_command("policy", "bundle", str(file)).returncode == 0
    first = file.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        manifest = archive.extractfile("/.manifest")
        assert manifest
        assert json.load(manifest)["revision"] == EmbeddedPolicy(POLICIES).digest
        assert not [name for name in archive.getnames() if "test" in name or "authz" in name]
    prism_command("policy", "bundle", str(file))
    assert file.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        (("eval", "sales", "-"), "{}", "there are admission, authz"),
        (("eval", "admission", "-"), "{", "is no JSON"),
        (("explain", "admission", "-"), "[]", "holds no JSON object"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(
    prism_command: Prism, arguments: tuple[str, ...], stdin: str, told: str
) -> None:
    done = prism_command("policy", *arguments, stdin=stdin)
    assert done.returncode == 2
    assert told in done.stderr
