"""The scanners on a planted repository, and what becomes of one that cannot look."""

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest

from activities.scans.folder import FolderScanner
from activities.scans.folder_contracts import FolderReport, InvalidSuppressions, Severity
from activities.scans.sarif import merged
from activities.scans.scanner import Run, Scanner
from activities.scans.suppressions import Suppression, Suppressions, load_suppressions
from activities.scans.tools import SCANNERS, program, scanners
from tests.activities.scans.planted import plant
from tests.activities.scans.vulnerabilities import write_database

pytestmark = [
    pytest.mark.xdist_group("scanners"),
    pytest.mark.skipif(not Path(program("checkov")).is_absolute(), reason="the scanners are not installed; make setup"),
]
# What each has to find: rule, file, line, and how bad it is.
FOUND = {
    "gitleaks": {("aws-access-token", "deploy.env", 1, Severity.HIGH)},
    "bandit": {
        ("B602", "app.py", 6, Severity.HIGH),
        ("B301", "app.py", 10, Severity.MEDIUM),
        ("B307", "app.py", 14, Severity.MEDIUM),
    },
    "semgrep": {
        ("prism-python-shell", "app.py", 6, Severity.HIGH),
        ("prism-python-unpickle", "app.py", 10, Severity.HIGH),
        ("prism-python-eval", "app.py", 14, Severity.HIGH),
        ("prism-javascript-inner-html", "page.js", 2, Severity.MEDIUM),
        ("prism-javascript-eval", "page.js", 3, Severity.HIGH),
    },
    "checkov": {("CKV_AWS_24", "main.tf", 6, Severity.HIGH), ("CKV_DOCKER_7", "Dockerfile", 1, Severity.HIGH)},
    "trivy-vulnerabilities": {
        ("CVE-2020-14343", "requirements.txt", 3, Severity.CRITICAL),
        ("CVE-2024-22195", "requirements.txt", 2, Severity.MEDIUM),
    },
    "trivy": {("DS001", "Dockerfile", 1, Severity.MEDIUM), ("DS002", "Dockerfile", 2, Severity.HIGH)},
}
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted") / "repository")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scanner]:
    cache = write_database(tmp_path_factory.mktemp("trivy"))
    return {name: one for name, one in scanners(vulnerabilities=cache).items() if name != "codeql"}


@pytest.fixture(scope="module")
async def report(folder: Path, installed: dict[str, Scanner]) -> FolderReport:
    return await FolderScanner(list(installed.values()), today=TODAY).scan(folder)


@pytest.mark.parametrize("scanner", FOUND)
def test_a_scanner_finds_what_was_planted(report: FolderReport, scanner: str) -> None:
    state = next(one for one in report.scanners if one.scanner == scanner)
    assert state.problem == ""
    assert state.version
    found = {(one.rule, one.path, one.line, one.severity) for one in report.findings if one.scanner == scanner}
    assert found >= FOUND[scanner]


def test_the_worst_is_told_first_and_nothing_twice(report: FolderReport) -> None:
    ranks = [one.severity.rank for one in report.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert len({(one.fingerprint, one.line) for one in report.findings}) == len(report.findings)


def test_no_secret_is_told(report: FolderReport) -> None:
    assert "QWERTYUIOP234567" not in report.model_dump_json()


def test_trivy_says_what_is_wrong_with_a_package_and_how_old_its_database_is(report: FolderReport) -> None:
    told = {one.rule: one.message for one in report.findings if one.scanner.startswith("trivy")}
    assert told["CVE-2020-14343"] == "pyyaml 5.3: PyYAML: incomplete fix for CVE-2020-1747; fixed in 5.4"
    assert told["DS002"] == "Last USER command in Dockerfile should not be 'root'"
    (state,) = (one for one in report.scanners if one.scanner == "trivy-vulnerabilities")
    assert state.version.endswith(", database of 2026-11-20")


async def test_without_its_database_trivy_is_a_problem_and_fetches_none(folder: Path, tmp_path: Path) -> None:
    scanner = scanners(vulnerabilities=tmp_path)["trivy-vulnerabilities"]
    report = await FolderScanner([scanner]).scan(folder)
    assert "cannot be specified on the first run" in report.scanners[0].problem
    assert not (tmp_path / "db").exists()


def test_all_findings_are_one_sarif_document(report: FolderReport, installed: dict[str, Scanner]) -> None:
    document = json.loads(json.dumps(merged(report)))
    assert document["version"] == "2.1.0"
    assert {run["tool"]["driver"]["name"] for run in document["runs"]} == set(installed)
    assert sum(len(run["results"]) for run in document["runs"]) == len(report.findings)
    for run in document["runs"]:
        known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        assert {result["ruleId"] for result in run["results"]} <= known
        assert run["invocations"] == [{"executionSuccessful": True}]


async def test_a_clean_folder_is_clean(tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text("def add(a: int, b: int) -> int:\n    return a + b\n")
    report = await FolderScanner([SCANNERS["bandit"], SCANNERS["gitleaks"]]).scan(tmp_path)
    assert report.complete
    assert report.findings == ()


def faulty(script: str) -> Scanner:
    def runs(_folder: Path, home: Path) -> list[Run]:
        return [Run(("/bin/sh", "-c", script, "sh", str(home / "report.sarif")), "report.sarif")]

    return Scanner("faulty", "faults", runs, ("/bin/true",))


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo broken >&2; exit 3", "faulty ended with exit code 3: broken"),
        ("true", "faulty wrote no report"),
        ('echo "{" > "$1"', "faulty wrote a report that is not JSON"),
        ('echo "{}" > "$1"', "faulty wrote something else than SARIF 2.1.0"),
        ("kill -9 $$", "faulty ended with exit code -9"),
        ("sleep 60", "faulty did not finish within 0.5 s"),
    ],
)
async def test_a_scanner_that_cannot_look_is_a_problem_and_never_a_clean_result(
    tmp_path: Path, script: str, problem: str
) -> None:
    report = await FolderScanner([faulty(script), SCANNERS["gitleaks"]], seconds=0.5).scan(tmp_path)
    assert not report.complete
    assert report.scanners[0].problem.startswith(problem)
    assert merged(report)["runs"][0]["invocations"][0]["executionSuccessful"] is False


async def test_a_missing_scanner_is_a_problem(tmp_path: Path) -> None:
    missing = Scanner("absent", "nothing", lambda _folder, _home: [Run(("/nowhere/absent",))], ("/nowhere/absent",))
    report = await FolderScanner([missing]).scan(tmp_path)
    assert "absent cannot be run: No such file or directory; is it installed?" in report.scanners[0].problem


def with_program(scanner: Scanner, name: str) -> Scanner:
    """Return a scanner whose program is another one."""

    def runs(folder: Path, home: Path) -> list[Run]:
        return [Run((name, *run.command[1:]), run.report) for run in scanner.runs(folder, home)]

    return dataclasses.replace(scanner, runs=runs, version=("/bin/true",))


@pytest.mark.parametrize("scanner", FOUND)
@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("/nowhere/absent", "cannot be run: No such file or directory; is it installed?"),
        ("/bin/false", "ended with exit code 1"),
        ("/bin/true", "wrote no report"),
    ],
    ids=["missing", "crashing", "silent"],
)
async def test_whichever_is_missing_crashes_or_is_silent_is_no_clean_result(
    folder: Path, installed: dict[str, Scanner], scanner: str, program: str, problem: str
) -> None:
    report = await FolderScanner([with_program(installed[scanner], program)]).scan(folder)
    assert not report.complete
    assert problem in report.scanners[0].problem


async def test_what_is_suppressed_counts_no_more_until_its_day(folder: Path) -> None:
    def suppressed(expires: date) -> Suppressions:
        return Suppressions(suppressions=(Suppression(rule="B602", reason="our own command", expires=expires),))

    scanners = [SCANNERS["bandit"]]
    report = await FolderScanner(scanners, suppressed(date(2026, 12, 1)), today=TODAY).scan(folder)
    assert [one.rule for one in report.findings if one.suppressed] == ["B602"]
    assert "B602" not in [one.rule for one in report.at_least(Severity.NOTE)]
    assert report.expired == ()
    report = await FolderScanner(scanners, suppressed(TODAY), today=TODAY).scan(folder)
    assert [one for one in report.findings if one.suppressed] == []
    assert report.expired == ("B602 in *, expired 2026-11-24: our own command",)


def test_a_suppression_without_reason_or_day_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suppressions.yaml"
    path.write_text("suppressions:\n  - {rule: B602, expires: 2026-12-01}\n  - {rule: B301, reason: because}\n")
    with pytest.raises(InvalidSuppressions) as refused:
        load_suppressions(path)
    assert "line 2: suppressions.0.reason: Field required" in refused.value.message
    assert "line 3: suppressions.1.expires: Field required" in refused.value.message
