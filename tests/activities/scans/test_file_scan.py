"""Files that programs leave are scanned one by one, and nothing in them tells a scanner to look away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from activities.scans.code import FolderCodeScanner
from activities.scans.code_files import files_of_code
from activities.scans.files import FilesScanner
from activities.scans.gitleaks import GitleaksScanner
from activities.scans.tools import SCANNERS, program

KEY = b"aws_access_key_id = AKIA" + b"QWERTYUIOP234567"
HARM = b"import subprocess\nsubprocess.call(input(), shell=True)  # nosec\n"


@pytest.fixture
async def scanner() -> AsyncIterator[FilesScanner]:
    secrets, bandit = GitleaksScanner(), SCANNERS["bandit"]
    yield FilesScanner(secrets, FolderCodeScanner({"bandit": bandit, "semgrep": replace(bandit, name="semgrep")}))
    await secrets.close()


async def test_a_secret_is_found_in_any_file_and_named_by_it(scanner: FilesScanner) -> None:
    report, sarif = await scanner.scan({"a/x.pdf": b"%PDF-\xff\n" + KEY, "b.txt": b"nothing"}, code=False)
    (found,) = report.findings
    assert (found.rule, found.place, found.line, found.secret) == ("aws-access-token", "a/x.pdf", 2, True)
    (run,) = sarif["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a/x.pdf"
    assert b"AKIA" not in str(sarif).encode()


@pytest.mark.skipif(not Path(program("bandit")).is_absolute(), reason="the scanners are not installed; make setup")
async def test_code_is_found_by_its_name_and_settings_among_the_files_count_for_nothing(scanner: FilesScanner) -> None:
    files = {"src/x.py": HARM, ".bandit": b"[bandit]\nexclude: /\n", "x.txt": HARM}
    report, sarif = await scanner.scan(files, code=True)
    assert {(one.rule, one.place, one.line) for one in report.findings} >= {("B602", "src/x.py", 2)}
    assert {one.place for one in report.findings} == {"src/x.py"}
    assert [run["tool"]["driver"]["name"] for run in sarif["runs"]] == ["gitleaks", "bandit", "semgrep"]


def test_each_file_of_code_goes_to_the_scanners_of_its_language() -> None:
    files = dict.fromkeys(("a.py", "b/Dockerfile", "c.tf", "d.YAML", "e.mjs", "f", "g.csv", ".sh"), b"x")
    found = {one.place: one.scanners for one in files_of_code(files).values()}
    assert found == {
        "a.py": ("bandit", "semgrep", "codeql"),
        "b/Dockerfile": ("checkov", "trivy"),
        "c.tf": ("checkov", "trivy"),
        "d.YAML": ("checkov", "trivy"),
        "e.mjs": ("semgrep", "codeql"),
        ".sh": ("semgrep",),
    }
