"""The code in outputs: scanned as files of its own, told with the output's lines."""

from pathlib import Path

import pytest

from activities.scans.code import FolderCodeScanner
from activities.scans.code_files import PROGRAM, code_files
from activities.scans.contracts import ScannerFailed
from activities.scans.folder_contracts import Severity
from activities.scans.scanner import Run, Scanner
from activities.scans.tools import SCANNERS, program
from catalogs.row import Language

ANSWER = """Here is the program:

```python
import subprocess

subprocess.call(input(), shell=True)  # nosec
```

and its container:

```dockerfile
FROM debian:latest
```
"""

installed = pytest.mark.skipif(
    not Path(program("checkov")).is_absolute(), reason="the scanners are not installed; make setup"
)


@pytest.mark.parametrize(
    ("text", "language", "own", "files"),
    [
        (ANSWER, None, "", {"0/code.py": 4, "1/Dockerfile": 12}),
        ("No code at all.", None, "", {}),
        ("print(1)", Language.PYTHON, "", {"0/code.py": 1}),
        ("Some prose.", Language.SHELL, "wc -l", {"0/code.sh": 1}),
        ("```\nls\n```", Language.SHELL, "", {"0/code.sh": 2}),
        ("```\nls\n```", None, "", {}),
        ("```{.hcl}\nresource\n```\n~~~yml\na: 1\n", None, "", {"0/code.tf": 2, "1/code.yaml": 5}),
    ],
)
def test_code_becomes_files_that_scanners_know(
    text: str, language: Language | None, own: str, files: dict[str, int]
) -> None:
    assert {path: one.line for path, one in code_files(text, language, own).items()} == files


def test_the_rows_own_program_is_told_apart() -> None:
    (one,) = code_files("prose", Language.PYTHON, "print(1)").values()
    assert one.place == PROGRAM


@installed
@pytest.mark.xdist_group("scanners")
async def test_findings_are_on_the_outputs_lines_and_code_cannot_excuse_itself() -> None:
    report, sarif = await FolderCodeScanner().scan(ANSWER, Language.PYTHON, "import pickle\npickle.load(open('x'))\n")
    found = {(one.scanner, one.rule, one.line, one.severity, one.place) for one in report.findings}
    assert found >= {
        ("bandit", "B602", 6, Severity.HIGH, ""),
        ("semgrep", "prism-python-shell", 6, Severity.HIGH, ""),
        ("bandit", "B301", 2, Severity.MEDIUM, PROGRAM),
        ("trivy", "DS002", 12, Severity.HIGH, ""),
        ("checkov", "CKV_DOCKER_7", 12, Severity.HIGH, ""),
    }
    assert not any(one.secret for one in report.findings)
    assert {run["tool"]["driver"]["name"] for run in sarif["runs"]} == {"bandit", "semgrep", "checkov", "trivy"}


async def test_without_code_no_scanner_is_started() -> None:
    report, sarif = await FolderCodeScanner().scan("Only words.", None, "")
    assert (report.scanners, report.findings, sarif["runs"]) == ((), (), [])


@pytest.mark.parametrize("command", ["false", "no-such-scanner"])
async def test_a_scanner_that_cannot_look_is_no_clean_result(command: str) -> None:
    broken = Scanner("bandit", "nothing", lambda folder, home: [Run((command, str(folder)))], (command,))
    with pytest.raises(ScannerFailed, match=r"not scanned by all who should: bandit: .*; semgrep is not set up"):
        await FolderCodeScanner({"bandit": broken}).scan("x = 1", Language.PYTHON, "")


@pytest.mark.parametrize("name", ["bandit", "semgrep", "checkov", "trivy"])
def test_every_scanner_that_is_wanted_is_one_of_ours(name: str) -> None:
    assert name in SCANNERS
