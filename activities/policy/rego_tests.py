"""Runs the Rego tests beside the policies, on the engine that decides, and says what they covered."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from opa_bindings import OpaEngine, OpaError
from pydantic import NonNegativeInt

from activities.policy.bundle import open_engine
from activities.policy.folder import PolicyFolder
from temporal.contract import Contract


class RegoReport(Contract):
    """How the Rego tests of a folder ended.

    Args:
        passed: How many held.
        failed: Full names of those that did not.
        coverage: Of each policy file, the percentage of its lines that some test reached.
        policy: Digest of all policies of the folder.
    """

    passed: NonNegativeInt
    failed: tuple[str, ...] = ()
    coverage: dict[str, float]
    policy: str


def run_rego_tests(policies: PolicyFolder) -> RegoReport:
    """Run all tests of a folder.

    Raises:
        PolicyUnavailable: The policies or their tests do not compile.
    """
    engine = open_engine(policies, with_tests=True)
    covered: defaultdict[str, set[int]] = defaultdict(set)
    lines: defaultdict[str, set[int]] = defaultdict(set)
    passed, failed = 0, []
    for name in _tests(policies):
        if _holds(engine, name):
            passed += 1
        else:
            failed.append(name)
        for path, file in (engine.last_coverage or {"files": {}})["files"].items():
            reached = _rows(file.get("covered"))
            covered[path] |= reached
            lines[path] |= reached | _rows(file.get("not_covered"))
    files = [str(path) for path in sorted(policies.modules)]
    shares = {path: round(100 * len(covered[path]) / max(1, len(lines[path])), 1) for path in files}
    return RegoReport(passed=passed, failed=tuple(failed), coverage=shares, policy=policies.digest)


def _tests(policies: PolicyFolder) -> Iterator[str]:
    for _, source in sorted(policies.tests.items()):
        text = source.decode()
        package = re.search(r"^package (\S+)", text, flags=re.MULTILINE)
        for name in re.findall(r"^(test_\w+)", text, flags=re.MULTILINE):
            yield f"{package[1] if package else ''}.{name}"


def _holds(engine: OpaEngine, name: str) -> bool:
    try:
        return engine.eval_document(name, {}, coverage=True) is True
    except OpaError:
        return False  # undefined: some expression of the test did not hold


def _rows(ranges: list[dict[str, Any]] | None) -> set[int]:
    return {row for one in ranges or [] for row in range(one["start"]["row"], one["end"]["row"] + 1)}
