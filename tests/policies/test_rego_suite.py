"""Runs every Rego test of policies/ on the engine that ships."""

import json
import re
from pathlib import Path

import pytest
from opa_bindings import OpaEngine

POLICIES = Path(__file__).parents[2] / "policies"
SUITES = sorted(POLICIES.glob("**/*_test.rego"))
CASES = [
    (suite, name) for suite in SUITES for name in re.findall(r"^(test_\w+) if", suite.read_text(), flags=re.MULTILINE)
]


@pytest.fixture(scope="module")
def engine() -> OpaEngine:
    engine = OpaEngine()
    for path in sorted(POLICIES.glob("**/*.rego")):
        engine.add_policy(path.name, path.read_text())
    for path in POLICIES.glob("**/data.json"):
        engine.add_data(json.loads(path.read_text()), "/".join(path.parent.relative_to(POLICIES).parts))
    return engine


@pytest.mark.parametrize(("suite", "name"), CASES, ids=[name for _, name in CASES])
def test_policy(engine: OpaEngine, suite: Path, name: str) -> None:
    package = re.search(r"^package (\S+)", suite.read_text(), flags=re.MULTILINE)
    assert package
    assert engine.eval_document(f"{package[1]}.{name}") is True


def test_every_policy_has_tests() -> None:
    policies = {path for path in POLICIES.glob("**/*.rego") if path not in SUITES}
    assert {path.with_name(path.stem + "_test.rego") for path in policies} == set(SUITES)
    assert CASES
