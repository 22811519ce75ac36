"""What OPA's own tools say of the policies: format, strict compilation, coverage of the Rego tests."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

POLICIES = Path(__file__).parents[2] / "policies"
LEAST_COVERAGE = 95.0
# Where nobody made the program yet, the compiler takes its time.
pytestmark = [pytest.mark.timeout(500), pytest.mark.xdist_group("opa")]


def run(opa: Path, *arguments: str) -> str:
    done = subprocess.run([opa, *arguments, POLICIES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_policies_are_formatted(opa: Path) -> None:
    assert run(opa, "fmt", "--diff", "--fail") == ""


def test_policies_compile_strictly(opa: Path) -> None:
    run(opa, "check", "--strict")


def test_rego_tests_cover_every_policy(opa: Path) -> None:
    report = json.loads(run(opa, "test", "--coverage", "--format", "json"))
    covered = {name: file["coverage"] for name, file in report["files"].items() if not name.endswith("_test.rego")}
    assert len(covered) == len([path for path in POLICIES.glob("**/*.rego") if not path.name.endswith("_test.rego")])
    assert all(share > LEAST_COVERAGE for share in covered.values()), covered


def test_every_package_and_rule_says_what_it_is(opa: Path) -> None:
    for path in POLICIES.glob("**/*.rego"):
        if path.name.endswith("_test.rego"):
            continue
        module = parsed(opa, path)
        annotated = module["annotations"]
        assert all(one.get("title") for one in annotated)
        assert "package" in {one["scope"] for one in annotated}
        lines = path.read_text().splitlines()
        documents = {name_of(lines[rule_after(lines, one)]) for one in annotated if one["scope"] == "document"}
        starts = {index for index, line in enumerate(lines) if re.match(r"[a-z]", line) and not ignored(line)}
        told = {rule_after(lines, one) for one in annotated}
        untold = {lines[index] for index in starts - told if name_of(lines[index]) not in documents}
        assert not untold


def parsed(opa: Path, path: Path) -> Any:
    command = [opa, "parse", "--format", "json", "--json-include", "locations,comments", path]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def ignored(line: str) -> bool:
    return line.startswith(("package ", "import "))


def rule_after(lines: list[str], annotation: dict[str, Any]) -> int:
    start = annotation["location"]["row"]
    return next(index for index, line in enumerate(lines) if index >= start and line and not line.startswith("#"))


def name_of(line: str) -> str:
    return re.split(r"[\s(\[]", line.removeprefix("default "))[0]
