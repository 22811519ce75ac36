"""CodeQL as a scanner. It cannot be had here: a program that speaks its command line stands in its place.

What CodeQL itself finds is therefore not shown. Shown is that both its steps run for each language, that what it writes
is read as CodeQL writes it, and that nothing it fails at passes for a clean result.
"""

import json
import sys
from pathlib import Path

import pytest

from activities.scans.code import FolderCodeScanner
from activities.scans.contracts import ScannerFailed
from activities.scans.folder import FolderScanner
from activities.scans.folder_contracts import FolderReport, Severity
from activities.scans.scanner import Run, Scanner
from activities.scans.tools import scanners
from catalogs.row import Language
from tests.activities.scans.planted import plant

# Takes the command lines that https://docs.github.com/en/code-security/codeql-cli documents, and no others.
PROGRAM = f"""#!{sys.executable}
import json, pathlib, sys

kind, *words = sys.argv[1:]
if kind == "version":
    print("CodeQL command-line toolchain release 2.20.4.")
    raise SystemExit
step, database, *options = words
options = dict(option.removeprefix("--").partition("=")[::2] for option in options)
database = pathlib.Path(database)
mode = pathlib.Path(__file__).with_name("mode").read_text()
if step == "create":
    assert set(options) == {{"language", "source-root", "threads"}}, options
    if mode == "no-extractor":
        sys.exit("A fatal error occurred: Did not recognize the language " + options["language"])
    database.mkdir()
    (database / "language").write_text(options["language"])
    (database / "root").write_text(options["source-root"])
else:
    assert step == "analyze" and set(options) == {{"format", "output", "threads", "no-download"}}, options
    assert options["format"] == "sarifv2.1.0"
    if mode == "no-queries":
        sys.exit("A fatal error occurred: Query pack codeql/python-queries cannot be found.")
    language = (database / "language").read_text()
    root = pathlib.Path((database / "root").read_text())
    results = []
    for path in sorted(root.rglob({{"python": "*.py", "javascript": "*.js"}}[language])):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "eval(" in line:
                place = {{"uri": str(path.relative_to(root)), "uriBaseId": "%SRCROOT%", "index": 0}}
                where = {{"artifactLocation": place, "region": {{"startLine": number}}}}
                results.append({{"ruleId": "py/code-injection", "ruleIndex": 0, "rule": {{"id": "py/code-injection",
                    "index": 0}}, "message": {{"text": "This code depends on a [value](1)."}},
                    "locations": [{{"physicalLocation": where}}]}})
    rule = {{"id": "py/code-injection", "defaultConfiguration": {{"enabled": True, "level": "error"}},
        "properties": {{"security-severity": "9.3", "kind": "path-problem"}}}}
    driver = {{"name": "CodeQL", "semanticVersion": "2.20.4", "rules": [rule]}}
    run = {{"tool": {{"driver": driver}}, "results": results}}
    if mode != "silent":
        pathlib.Path(options["output"]).write_text(json.dumps({{"version": "2.1.0", "runs": [run]}}))
"""


@pytest.fixture
def codeql(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "codeql"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (program.parent / "mode").write_text("")
    return program


async def scanned(scanner: Scanner, folder: Path) -> FolderReport:
    return await FolderScanner([scanner]).scan(folder)


async def test_each_language_of_a_folder_has_its_database_and_its_findings(codeql: Path, tmp_path: Path) -> None:
    report = await scanned(scanners(str(codeql))["codeql"], plant(tmp_path / "repository"))
    assert (report.scanners[0].problem, report.scanners[0].version) == ("", "2.20.4")
    found = {(one.path, one.line, one.severity, one.message) for one in report.findings}
    told = "This code depends on a [value](1)."
    assert found == {("app.py", 14, Severity.CRITICAL, told), ("page.js", 3, Severity.CRITICAL, told)}


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("no-extractor", "codeql ended with exit code 1: A fatal error occurred: Did not recognize the language"),
        ("no-queries", "codeql ended with exit code 1: A fatal error occurred: Query pack codeql/python-queries"),
        ("silent", "codeql wrote no report"),
    ],
)
async def test_a_step_that_fails_is_a_problem_and_never_a_clean_result(
    codeql: Path, tmp_path: Path, mode: str, problem: str
) -> None:
    (codeql.parent / "mode").write_text(mode)
    report = await scanned(scanners(str(codeql))["codeql"], plant(tmp_path / "repository"))
    assert report.scanners[0].problem.startswith(problem)
    assert not report.complete


async def test_one_that_settings_name_and_that_is_absent_is_a_problem(tmp_path: Path) -> None:
    report = await scanned(scanners("/nowhere/codeql")["codeql"], plant(tmp_path / "repository"))
    assert "codeql cannot be run: No such file or directory; is it installed?" in report.scanners[0].problem


def test_it_is_a_scanner_where_it_is_on_the_path_only(codeql: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    assert "codeql" not in scanners()
    monkeypatch.setenv("PATH", str(codeql.parent))
    assert scanners()["codeql"].version == (str(codeql), "version")


async def test_it_looks_at_outputs_too_where_it_is_installed(codeql: Path) -> None:
    def idle(_folder: Path, home: Path) -> list[Run]:
        return [Run(("/bin/sh", "-c", f"echo '{{\"runs\": []}}' >{home}/idle"), "idle")]

    installed = {"codeql": scanners(str(codeql))["codeql"]}
    answer = "Run this:\n\n```python\nx = input()\neval(x)\n```\n"
    with pytest.raises(ScannerFailed, match="bandit is not set up; semgrep is not set up"):
        await FolderCodeScanner(installed).scan(answer, Language.PYTHON, "")
    installed |= {name: Scanner(name, "nothing", idle, ("/bin/true",)) for name in ("bandit", "semgrep")}
    report, sarif = await FolderCodeScanner(installed).scan(answer, Language.PYTHON, "")
    assert ("codeql", "py/code-injection", 5) in {(one.scanner, one.rule, one.line) for one in report.findings}
    assert "codeql" in json.dumps(sarif)
