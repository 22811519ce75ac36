"""``python -m tests.activities.sandbox.table``: runs the suites of every sandbox, and tells which test passed where."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.activities.sandbox.conftest import CLUSTER

FOLDER: Final = Path(__file__).parent
SUITES: Final = ("test_sandbox_contract.py", "test_workspace_files.py", "test_hostile_programs.py")
BACKENDS: Final = {"own-user": "bubblewrap, as root", "user-namespace": "bubblewrap, as a user", "docker": "Docker"}
if CLUSTER:
    BACKENDS["kubernetes"] = "Kubernetes"
MARKS: Final = {"passed": "✓", "failed": "✗", "skipped": "-"}


class Outcomes:
    """Remembers how each test ended with each backend."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test's report; of its phases the worst counts."""
        named = re.match(r".*::test_(\w+)\[(own-user|user-namespace|docker|kubernetes)", report.nodeid)
        if named is None or (report.when != "call" and report.passed):
            return
        ends = self.found.setdefault(named[1].replace("_", " "), {})
        if ends.get(named[2]) != "failed":
            ends[named[2]] = report.outcome


def versions() -> str:
    """Return what the suites ran on."""
    commands = (["bwrap", "--version"], ["dockerd", "--version"], ["runc", "--version"], ["uname", "-r"])
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    return "; ".join(one.splitlines()[0] for one in told)


def main() -> None:
    """Run the suites and print the table as Markdown."""
    outcomes = Outcomes()
    code = pytest.main(["-q", *(str(FOLDER / suite) for suite in SUITES)], plugins=[outcomes])
    lines = [versions(), "", f"| | {' | '.join(BACKENDS.values())} |", f"|---|{'---|' * len(BACKENDS)}"]
    for test, ends in outcomes.found.items():
        lines.append(f"| {test} | {' | '.join(MARKS[ends.get(one, 'skipped')] for one in BACKENDS)} |")
    sys.stdout.write("\n".join(("", *lines, "")))
    sys.exit(code)


if __name__ == "__main__":
    main()
